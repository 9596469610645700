"""`python -m pipeline reports COLLECTION`: the pictures that visitors of the page reported, and why."""

import argparse
import json
from dataclasses import asdict

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "reports"
HELP = "list the pictures that visitors reported"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The collection, and reports to forget."""
    parser.add_argument("collection")
    parser.add_argument(
        "--forget", action="append", default=[], metavar="ID", help="forget the reports of a picture"
    )


def run(options: argparse.Namespace) -> str:
    """A line a picture, the most reported first; `hidden` says whether it is already."""
    from pipeline.commands.text_table import text_table
    from pipeline.home import resolve_home
    from pipeline.moderation.hidden import hidden_ids
    from pipeline.moderation.reports import forget_reports, read_reports
    from pipeline.search import open_collection

    home, name = resolve_home(options.home), options.collection
    found = open_collection(name, options.home, options.url)
    for point in options.forget:
        forget_reports(home, name, point)
    hidden, told = set(hidden_ids(home, name)), read_reports(home, name)
    if options.json:
        return json.dumps([{**asdict(one), "times": one.times, "hidden": one.id in hidden} for one in told])
    places = {hit.id: hit.place for hit in found.get_many([one.id for one in told])}
    rows = [
        [
            one.id,
            one.times,
            ", ".join(f"{reason} {count}" for reason, count in sorted(one.reasons.items())),
            one.last,
            "yes" if one.id in hidden else "no",
            places.get(one.id, "gone"),
        ]
        for one in told
    ]
    head = ["id", "times", "reasons", "last", "hidden", "place"]
    return text_table(head, rows) if rows else f"Nobody reported a picture of '{name}'."
