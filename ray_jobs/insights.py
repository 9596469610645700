"""What is odd in a collection and what is typical: python -m ray_jobs.insights COLLECTION [--field NAME] …

A plain program: it reads the finished collection and works on this machine alone; `ray job submit` runs it
like the others. The page is kept with the collection, and written to a folder with tables.
"""

import argparse
from typing import Any

from pipeline.errors import SimileError
from pipeline.home import is_remote, resolve_home, write_file
from ray_jobs.session import add_server, job_parser, print_result, report_errors

__all__ = ["main"]

PAGE = "insights.html"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from pipeline.insights.examine import PICTURES
    from pipeline.insights.label_noise import DOUBTFUL

    parser = job_parser("insights", __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection")
    parser.add_argument(
        "--field", action="append", help="field of labels; may be repeated (default: all such fields)"
    )
    parser.add_argument("--encoder", help="encoder whose vectors are compared (default: the first)")
    parser.add_argument(
        "--clusters", type=int, help="number of clusters (default: one for 25 pictures, at most 32)"
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=PICTURES,
        help="at most this many pictures, sampled at random (default: %(default)s)",
    )
    parser.add_argument(
        "--doubtful",
        type=float,
        default=DOUBTFUL,
        help="a label is doubtful if another one has a share of the neighbours this much larger, -1 to 1 "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="absolute folder or URL of the page and tables (default: insights/COLLECTION in the home)",
    )
    add_server(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """One JSON line: figures, and where the files are."""
    options = parse_arguments(arguments)
    with report_errors():
        result = _examine(options)
    print_result(result)


def _examine(options: argparse.Namespace) -> dict[str, Any]:
    from pipeline.insights.examine import examine
    from pipeline.insights.kept import INSIGHTS, kept_insights
    from pipeline.insights.listing import write_insights
    from pipeline.insights.page import insights_page
    from pipeline.search import open_collection
    from pipeline.store.authority import trust

    for name, value in (("--clusters", options.clusters), ("--pictures", options.pictures)):
        if value is not None and value < 1:
            raise SimileError(f"{name} is {value}; it must be 1 or more.")
    folder = options.output or f"{resolve_home(options.home)}/insights/{options.collection}"
    if not is_remote(folder) and not folder.startswith("/"):
        raise SimileError(
            f"--output is '{folder}'; give an absolute folder or a URL, as a submitted job runs in a copy of "
            "the folder."
        )
    trust(options.ca)
    collection = open_collection(options.collection, options.home, options.url)
    store, version = collection.live
    entry = version.manifest.encoder(options.encoder)
    fields = options.field or list(version.manifest.labels)
    version.check_fields(fields)
    found = examine(store, version, entry, fields, options.pictures, options.clusters, options.doubtful)
    page = insights_page(store, version, entry, found).encode()
    store.attach(version.name, PAGE, page)
    store.attach(version.name, INSIGHTS, kept_insights(found, entry).model_dump_json().encode())
    write_file(f"{folder}/{PAGE}", page)
    return {
        "collection": options.collection,
        "version": version.name,
        "pictures": len(found.ids),
        "clusters": [[cluster.name, len(cluster.members)] for cluster in found.clusters],
        "covered": round(found.covered, 4),
        "copies": round(found.copies, 4),
        "doubtful": {each.field: len(each.doubts) for each in found.fields},
        "kept_as": PAGE,
        "files": [f"{folder}/{PAGE}", *write_insights(found, folder)],
    }


if __name__ == "__main__":
    main()
