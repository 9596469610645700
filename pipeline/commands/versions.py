"""`python -m pipeline versions COLLECTION`: the versions of a collection, and where `--rollback` goes."""

import argparse
import json
from dataclasses import asdict

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "versions"
HELP = "list the versions of a collection, the newest first, and where --rollback goes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The collection."""
    parser.add_argument("collection")


def run(options: argparse.Namespace) -> str:
    """A line a version."""
    from pipeline.store import open_store
    from pipeline.store.history import list_versions, table_of

    lines = list_versions(open_store(options.home, options.url), options.collection)
    return json.dumps([asdict(line) for line in lines]) if options.json else table_of(lines)
