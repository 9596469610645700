"""`python -m pipeline collections`: which collections there are."""

import argparse
import json

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "collections"
HELP = "list the collections that can be searched"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace) -> str:
    """A line a collection."""
    from pipeline.commands.text_table import text_table
    from pipeline.store import open_store
    from pipeline.store.versions import read_version, searchable

    store = open_store(options.home, options.url)
    rows = []
    for name, version in sorted(searchable(store).items()):
        manifest = read_version(store, version).manifest
        encoders = ", ".join(entry.name for entry in manifest.encoders)
        rows.append([name, store.count(version), encoders, ", ".join(manifest.filters), manifest.built])
    head = ["collection", "pictures", "encoders", "filters", "built"]
    if options.json:
        return json.dumps([dict(zip(head, row, strict=True)) for row in rows])
    return text_table(head, rows) if rows else "There are none yet; index one with python -m ray_jobs.index."
