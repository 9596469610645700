"""Write ids, vectors, codes and payload of a collection to files: python -m ray_jobs.export COLLECTION …

Ray tasks write a file for each slice of some 4,096 pictures.
"""

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.filter_texts import FILTER_HELP, read_filters
from pipeline.home import is_remote, listed
from ray_jobs.session import add_server, job_parser, print_result, ray_session, report_errors

if TYPE_CHECKING:
    from pipeline.search.exported_rows import ExportedRows
    from pipeline.store import Store
    from pipeline.store.id_slices import IdSlice

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = job_parser("export", __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection")
    parser.add_argument(
        "--output",
        required=True,
        metavar="FOLDER",
        help="absolute folder that all nodes see, or URL of an object store",
    )
    parser.add_argument(
        "--format",
        choices=["parquet", "npy"],
        default="parquet",
        help="format of the files (default: %(default)s)",
    )
    parser.add_argument(
        "--encoder", action="append", help="encoder whose vectors are written; may be repeated (default: all)"
    )
    parser.add_argument("--filter", action="append", default=[], metavar="FIELD=VALUE", help=FILTER_HELP)
    parser.add_argument("--thumbnails", action="store_true", help="write the pictures as well (parquet only)")
    add_server(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """One JSON line: what was written, and where."""
    options = parse_arguments(arguments)
    with report_errors():
        result = _export(options)
    print_result(result)


def _export(options: argparse.Namespace) -> dict[str, Any]:
    from pipeline.progress import progress
    from pipeline.search import open_collection
    from pipeline.store.authority import trust
    from pipeline.store.id_slices import slices_for
    from ray_jobs.over_slices import over_slices

    if options.thumbnails and options.format == "npy":
        raise SimileError("--thumbnails needs --format parquet; arrays of numbers hold no pictures.")
    folder = options.output.rstrip("/")
    if not is_remote(folder) and not folder.startswith("/"):
        raise SimileError(
            f"--output is '{options.output}'; give an absolute folder or a URL, as tasks may run elsewhere."
        )
    trust(options.ca)
    collection = open_collection(options.collection, options.home, options.url)
    rows = collection.exported_rows(options.encoder, read_filters(options.filter), options.thumbnails)
    store, version = collection.live
    slices = slices_for(collection.count)
    _check_free(folder)
    work = partial(_write_slice, rows, folder, options.format)
    with ray_session(), progress("export", collection.count) as bar:
        written = 0
        for _, count in over_slices(work, store, slices):
            written += count
            bar.update(count)
    return {
        "collection": options.collection,
        "version": version.name,
        "rows": written,
        "files": len(slices),
        "format": options.format,
        "output": folder,
    }


def _write_slice(rows: "ExportedRows", folder: str, kind: str, store: "Store", within: "IdSlice") -> int:
    """One slice, under a name that its first id gives: the same whoever writes it, and in order."""
    from pipeline.search.export_files import write_npy, write_parquet

    name = (within.first or "0" * 8)[:8]
    if kind == "npy":
        return write_npy(rows, store, folder, within, suffix=f"-{name}")
    return write_parquet(rows, store, f"{folder}/part-{name}.parquet", within)


def _check_free(folder: str) -> None:
    """Files of an earlier export, cut otherwise, would be read as part of this one.

    Raises:
        SimileError: naming one of them.
    """
    left = sorted(each.base_name for each in listed(folder) if each.base_name.endswith((".parquet", ".npy")))
    if left:
        raise SimileError(
            f"'{folder}' holds {len(left)} files already, such as {left[0]}; name an empty folder."
        )


if __name__ == "__main__":
    main()
