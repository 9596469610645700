"""Take pictures out of a collection: python -m ray_jobs.delete COLLECTION [--id ID] [--filter FIELD=VALUE]

They stay out, also when the source is indexed again, until `--restore` is followed by an index job.
"""

from pipeline.errors import SimileError
from pipeline.filter_texts import FILTER_HELP, read_filters
from pipeline.home import resolve_home
from ray_jobs.session import job_parser, print_result, report_errors

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """One JSON line."""
    parser = job_parser("delete", __doc__)
    parser.add_argument("collection")
    parser.add_argument("--id", action="append", default=[], help="a point; may be repeated")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=FILTER_HELP,
    )
    parser.add_argument("--restore", action="store_true", help="let deleted pictures come back")
    options = parser.parse_args(arguments)
    with report_errors():
        filters = read_filters(options.filter)
        if options.restore == bool(options.id or filters):
            raise SimileError("Name what to delete by --id or --filter, or give --restore alone.")
        from pipeline.indexing.delete import delete_points, restore_points
        from pipeline.indexing.fenced_store import fenced
        from pipeline.indexing.lock import writer_lock
        from pipeline.store import open_store

        home = resolve_home(options.home)
        with writer_lock(home, options.collection) as lock:
            store = fenced(open_store(home), lock.check)
            if options.restore:
                result = restore_points(store, options.collection)
            else:
                result = delete_points(store, options.collection, options.id, filters)
    print_result(result)


if __name__ == "__main__":
    main()
