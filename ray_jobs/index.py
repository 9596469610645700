"""Index a collection: python -m ray_jobs.index qdrant_config/cifar10.yaml [--source …] [--sample] …"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.config import CollectionConfig, EncoderConfig, load_config
from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.installation import need_torch
from pipeline.progress import say
from ray_jobs.session import (
    add_authority,
    command_again,
    job_parser,
    print_result,
    ray_session,
    report_errors,
)

if TYPE_CHECKING:
    from pipeline.indexing.account import Account
    from pipeline.sources.spreading import Spread

__all__ = ["main"]

Found = TypeVar("Found")
_ROOT = Path(__file__).resolve().parent.parent


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = job_parser("index", __doc__)
    parser.add_argument("config", help="the collection's YAML")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--source", help="a folder, file or address: images, parquet, tars, a list")
    where.add_argument("--sample", action="store_true", help="index the bundled sample instead of the source")
    parser.add_argument("--split", help="split of the source")
    parser.add_argument("--subset", help="configuration of the source, where it has several")
    parser.add_argument("--follow-links", action="store_true", help="follow links that lead out of a folder")
    parser.add_argument("--url-column", metavar="COLUMN", help="the column of a list that names the pictures")
    parser.add_argument(
        "--allow-private", action="store_true", help="also fetch what a list names from private addresses"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    parser.add_argument(
        "--encoder", action="append", help="encoder to use instead of the YAML's; may be repeated"
    )
    parser.add_argument(
        "--actors", metavar="N", help="embedding actors, or MIN:MAX (default: one to six per GPU)"
    )
    parser.add_argument("--gpus-per-actor", type=float, metavar="X")
    parser.add_argument(
        "--wait",
        type=float,
        metavar="S",
        help="seconds to wait for a cluster to grow until the actors have room (default: 900 with MIN:MAX)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show rows and rejects, time and disk expected; write nothing"
    )
    parser.add_argument(
        "--sync", action="store_true", help="also remove pictures that are no longer in the source"
    )
    parser.add_argument("--add", action="store_true", help="add this source to what is in the collection")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="allow the job to remove more than half of the collection's pictures",
    )
    parser.add_argument("--refit", action="store_true", help="fit the projection again, in a new version")
    parser.add_argument(
        "--retry-rejects", action="store_true", help="try the rows again that an earlier run rejected"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--rollback", action="store_true", help="only go back to the version that was live before"
    )
    instead.add_argument("--prune", action="store_true", help="only delete all versions except the live one")
    add_authority(parser)
    given = sys.argv[1:] if arguments is None else arguments
    return parser.parse_args(given, argparse.Namespace(given=given))


def resolve_config(options: argparse.Namespace) -> CollectionConfig:
    """The YAML with what the command line overrides."""
    config = load_config(options.config)
    changes: dict[str, Any] = {}
    if options.limit is not None and options.limit < 1:
        raise SimileError(f"--limit is {options.limit}; it must be 1 or more.")
    if options.sample:
        if not config.sample:
            raise SimileError(f"'{options.config}' names no sample; leave out --sample.")
        changes |= {"source": str(_ROOT / config.sample), "split": "train"}
    if options.source:
        changes["source"] = options.source
    if options.split:
        changes["split"] = options.split
    if options.url_column:
        changes["url_column"] = options.url_column
    if options.subset:
        changes["config"] = options.subset
    if options.encoder:
        changes["encoders"] = [EncoderConfig(name=name) for name in options.encoder]
    return CollectionConfig.model_validate({**config.model_dump(), **changes})


def main(arguments: list[str] | None = None) -> None:
    """Parse, run, print the account. Exits 0 only if it adds up."""
    options = parse_arguments(arguments)
    with report_errors() as stopping:
        from pipeline.store.authority import trust

        trust(options.ca)
        config, home = resolve_config(options), resolve_home(options.home)
        if options.rollback or options.prune:
            result = _change_versions(home, config.collection, options.rollback)
        else:
            again = command_again("index", options.given, home)
            go_on = f"What is staged stays; to go on from there: {again}"
            if not options.dry_run:
                stopping.go_on = go_on
            result = _index(options, config, home, go_on)
    print_result(result)


def _change_versions(home: str, collection: str, back: bool) -> dict[str, Any]:
    from pipeline.editing.rollback import prune, rollback
    from pipeline.locks.fenced_store import fenced
    from pipeline.locks.lock import writer_lock
    from pipeline.store import open_store

    with writer_lock(home, collection) as lock:
        return (rollback if back else prune)(fenced(open_store(home), lock.check), collection)


def _index(options: argparse.Namespace, config: CollectionConfig, home: str, go_on: str) -> dict[str, Any]:
    from pipeline.cluster.actors import Actors, check_gpus, patience
    from pipeline.cluster.reservation import check_this_machine
    from pipeline.indexing.dry_run import dry_run
    from pipeline.indexing.job import IndexJob, index_collection
    from pipeline.indexing.plan import nothing_new
    from pipeline.indexing.preflight import check_store_and_disk, find_all
    from pipeline.locks.lock import refuse_second_writer
    from pipeline.progress import say

    check_gpus(options.gpus_per_actor)
    if options.gpus_per_actor:
        need_torch("--gpus-per-actor")
    actors = Actors.parse(options.actors) if options.actors is not None else None
    on_a_cluster = bool(os.environ.get("RAY_ADDRESS"))
    job = IndexJob(
        config=config,
        home=home,
        limit=options.limit,
        actors=actors,
        gpus_per_actor=options.gpus_per_actor,
        wait=patience(actors, options.wait, on_a_cluster),
        sync=options.sync,
        add=options.add,
        refit=options.refit,
        retry_rejects=options.retry_rejects,
        replace=options.replace,
        other_source=bool(options.source),
        follow_links=options.follow_links,
        allow_private=options.allow_private,
    )
    # What can fail fails here, in seconds, before Ray is started; a source of many files is looked at by all
    # nodes of a cluster.
    say(f"checking {config.source} and the encoders")
    with ExitStack() as session:
        join = cache(lambda: session.enter_context(ray_session()))
        spread = _joining(join) if on_a_cluster else None
        checked = find_all(job, spread, keeps=not options.dry_run)
        say(f"{checked.source.rows:,} rows in {checked.source.name}")
        if not options.dry_run:
            refuse_second_writer(home, config.collection)
            if account := nothing_new(job, checked):
                say("nothing is new: the files of the source are those of the last job")
                return _reported(account)
            check_store_and_disk(job, checked)
        if not on_a_cluster:
            check_this_machine(actors)
        join()
        if options.dry_run:
            return dry_run(job, checked)
        try:
            account = index_collection(job, checked)
        except SimileError:
            say(go_on)
            raise
    return _reported(account)


def _joining(join: Callable[[], None]) -> "Spread":
    """What joins the cluster when there is work for all of its nodes."""
    from pipeline.cluster.tasks import in_free_tasks

    def spread(work: "Callable[[Any], Found]", each: Sequence[Any]) -> "Iterator[Found]":
        join()
        say("the source has many files: all nodes of the cluster look into them")
        return in_free_tasks(work, each)

    return spread


def _reported(account: "Account") -> dict[str, Any]:
    """The account for people on stderr; returns what is printed on stdout."""
    say(account.table())
    return account.summary()


if __name__ == "__main__":
    main()
