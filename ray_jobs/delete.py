"""Take pictures out of a collection: python -m ray_jobs.delete COLLECTION [--id ID] [--filter FIELD=VALUE]

They stay out, even when the source is indexed again, until `--restore` is followed by an index job. With
`--erase` they are taken out of everything that Simile keeps, and cannot come back.
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
    parser.add_argument("--id", action="append", default=[], help="id of a picture; may be repeated")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=FILTER_HELP,
    )
    parser.add_argument("--restore", action="store_true", help="let deleted pictures come back")
    parser.add_argument(
        "--erase",
        action="store_true",
        help="delete for good: also from staged files, older versions, thumbnails, maps and lists; without "
        "--id and --filter, finish an interrupted erasure",
    )
    options = parser.parse_args(arguments)
    with report_errors():
        filters = read_filters(options.filter)
        named = bool(options.id or filters)
        if (options.restore and (named or options.erase)) or not (options.restore or named or options.erase):
            raise SimileError("Name what to delete with --id or --filter, or give --restore alone.")
        from pipeline.editing.delete import delete_points, restore_points
        from pipeline.editing.erase import erase_points
        from pipeline.locks.fenced_store import fenced
        from pipeline.locks.lock import writer_lock
        from pipeline.staging.erased import erased_list
        from pipeline.store import open_store

        home = resolve_home(options.home)
        with writer_lock(home, options.collection) as lock:
            store = fenced(open_store(home), lock.check)
            if options.restore:
                erased = erased_list(home, options.collection).ids
                result = restore_points(store, options.collection, erased)
            elif options.erase:
                result = erase_points(store, home, options.collection, options.id, filters)
            else:
                result = delete_points(store, options.collection, options.id, filters)
    print_result(result)


if __name__ == "__main__":
    main()
