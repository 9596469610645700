"""Index a collection: python -m ray_jobs.index qdrant_config/cifar10.yaml [--source …] [--sample] …"""

import argparse
from pathlib import Path
from typing import Any

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from qdrant_config import CollectionConfig, EncoderConfig, load_config
from ray_jobs.session import print_result, ray_session, report_errors

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parent.parent


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ray_jobs.index", description=__doc__)
    parser.add_argument("config", help="the collection's YAML")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--source", help="a Hub id, a mirror in Hub layout, or a folder of images")
    where.add_argument("--sample", action="store_true", help="the bundled sample instead of the source")
    parser.add_argument("--split", help="split of the source")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    parser.add_argument("--encoder", action="append", help="instead of the YAML's encoders; may be repeated")
    parser.add_argument("--home", help="absolute folder or URL for staged vectors and the embedded store")
    parser.add_argument("--actors", type=int, metavar="N", help="embedding actors (default: one a GPU)")
    parser.add_argument("--gpus-per-actor", type=float, metavar="X")
    parser.add_argument(
        "--dry-run", action="store_true", help="say rows, time and disk expected; write nothing"
    )
    return parser.parse_args(arguments)


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
    if options.encoder:
        changes["encoders"] = [EncoderConfig(name=name) for name in options.encoder]
    return CollectionConfig.model_validate({**config.model_dump(), **changes})


def main(arguments: list[str] | None = None) -> None:
    """Parse, run, print the account. Exits 0 only if it adds up."""
    options = parse_arguments(arguments)
    with report_errors():
        from pipeline.indexing.dry_run import dry_run
        from pipeline.indexing.job import IndexJob, index_collection, preflight

        job = IndexJob(
            config=resolve_config(options),
            home=resolve_home(options.home),
            limit=options.limit,
            actors=options.actors,
            gpus_per_actor=options.gpus_per_actor,
        )
        preflight(job)  # fails in seconds, before Ray is started
        with ray_session():
            result = dry_run(job) if options.dry_run else index_collection(job).summary()
    print_result(result)


if __name__ == "__main__":
    main()
