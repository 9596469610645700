"""Save a collection to files, or restore it: python -m ray_jobs.backup COLLECTION --to FOLDER-OR-URL

python -m ray_jobs.backup --from FOLDER-OR-URL [--as NAME] restores. A plain program that needs no Ray: a page
of points is read and written at a time.
"""

import argparse

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from ray_jobs.session import add_authority, job_parser, print_result, report_errors

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = job_parser("backup", (__doc__ or "").splitlines()[0])
    parser.add_argument("collection", nargs="?", help="collection to save; with --from, use --as instead")
    way = parser.add_mutually_exclusive_group(required=True)
    where = "absolute folder or URL of an object store"
    way.add_argument("--to", metavar="FOLDER-OR-URL", help=f"save the collection here ({where})")
    way.add_argument("--from", metavar="FOLDER-OR-URL", dest="from_", help=f"restore from here ({where})")
    parser.add_argument("--as", metavar="NAME", dest="as_", help="restore under another name")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace the archive at --to; or, with --from, restore as the new version of an existing "
        "collection",
    )
    parser.add_argument("--url", help="address of a Qdrant server (default: $QDRANT_URL, else the home)")
    add_authority(parser)
    parser.add_argument(
        "--shard-number", type=int, default=1, metavar="N", help="of a version restored into a server"
    )
    parser.add_argument(
        "--replication-factor", type=int, default=1, metavar="N", help="of a version restored into a server"
    )
    options = parser.parse_args(arguments)
    if options.to and not options.collection:
        parser.error("name the collection to save: COLLECTION --to FOLDER-OR-URL")
    if options.to and options.as_:
        parser.error("--as belongs to --from; an archive keeps the collection's own name")
    if options.from_ and options.collection:
        parser.error("the archive says what the collection is called; restore under another name with --as")
    return options


def main(arguments: list[str] | None = None) -> None:
    """One JSON line."""
    options = parse_arguments(arguments)
    with report_errors():
        from pipeline.backup import archived_name, restore_collection, save_collection
        from pipeline.locks.fenced_store import fenced
        from pipeline.locks.lock import writer_lock
        from pipeline.store import open_store
        from pipeline.store.authority import trust

        trust(options.ca)
        home = resolve_home(options.home)
        store = open_store(home, options.url)
        try:
            alias = options.collection or options.as_ or archived_name(options.from_)
            # No other job of this home may write what is read here, or drop it.
            with writer_lock(home, alias) as lock:
                store = fenced(store, lock.check)
                if options.to:
                    result = save_collection(store, alias, options.to, overwrite=options.overwrite)
                else:
                    result = restore_collection(
                        store,
                        options.from_,
                        alias,
                        overwrite=options.overwrite,
                        shard_number=options.shard_number,
                        replication_factor=options.replication_factor,
                    )
        except OSError as error:
            raise SimileError(f"'{options.to or options.from_}' cannot be used: {error}.") from error
    print_result(result)


if __name__ == "__main__":
    main()
