"""One HTML page about a collection: python -m ray_jobs.report COLLECTION [--output FILE.html]"""

from pathlib import Path

from pipeline.errors import SimileError
from pipeline.search import open_collection
from ray_jobs.session import job_parser, print_result, report_errors

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Make the page, keep it with the collection, and write it to a file if one is named."""
    parser = job_parser("report", __doc__)
    parser.add_argument("collection")
    parser.add_argument("--output", type=Path, metavar="FILE.html", help="also write the page here")
    options = parser.parse_args(arguments)
    with report_errors():
        from pipeline.report import REPORT, make_report

        store, version = open_collection(options.collection, home=options.home).live
        page = make_report(store, version.name).encode()
        store.attach(version.name, REPORT, page)
        if options.output:
            try:
                options.output.write_bytes(page)
            except OSError as error:
                raise SimileError(f"'{options.output}' cannot be written: {error.strerror}.") from error
    told = {
        "collection": options.collection,
        "version": version.name,
        "kept_as": REPORT,
        "bytes": len(page),
    }
    print_result(told | ({"output": str(options.output.absolute())} if options.output else {}))


if __name__ == "__main__":
    main()
