"""Rows that did not become points: python -m ray_jobs.rejects COLLECTION [--json]"""

from dataclasses import asdict

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.printable import printable
from pipeline.progress import say
from ray_jobs.session import job_parser, print_result, report_errors

__all__ = ["main"]

_WIDTHS = (38, 40, 12, 34)


def main(arguments: list[str] | None = None) -> None:
    """The table of the latest run on stdout; what it sums up to on stderr."""
    parser = job_parser("rejects", __doc__)
    parser.add_argument("collection")
    parser.add_argument("--json", action="store_true", help="print one JSON object per row")
    options = parser.parse_args(arguments)
    with report_errors():
        from pipeline.staging.rejects import grouped, read_rejects

        home = resolve_home(options.home)
        rejects = read_rejects(home, options.collection)
        if rejects is None:
            raise SimileError(f"No index job of '{options.collection}' has run with the home {home}.")
    for reject in rejects:
        if options.json:
            print_result(asdict(reject))
        else:
            columns = (reject.id or "-", reject.place, reject.stage, reject.first_bytes)
            row = "".join(f"{value:<{width}}" for value, width in zip(columns, _WIDTHS, strict=True))
            print(printable(row + reject.reason))
    say(f"{len(rejects):,} rejected rows")
    for kind, group in grouped(rejects).items():
        say(f"{group.count:>8,}  {kind}")


if __name__ == "__main__":
    main()
