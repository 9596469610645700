"""`python -m pipeline tag COLLECTION TAG --id ID …`: give pictures a tag, or remove it."""

import argparse
import json

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "tag"
HELP = "give pictures a tag (a value of the filter field tags), or remove it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The collection, the tag, and the pictures."""
    from pipeline.filter_texts import FILTER_HELP

    parser.add_argument("collection")
    parser.add_argument("tag")
    parser.add_argument("--id", action="append", default=[], help="id of a picture; may be repeated")
    parser.add_argument("--filter", action="append", default=[], metavar="FIELD=VALUE", help=FILTER_HELP)
    parser.add_argument("--remove", action="store_true", help="remove the tag")


def run(options: argparse.Namespace) -> str:
    """What was done.

    Raises:
        SimileError: as `Collection.tag`; or no picture is named.
    """
    from pipeline.errors import SimileError
    from pipeline.filter_texts import read_filters
    from pipeline.search import open_collection
    from pipeline.store.filters import matching

    filters = read_filters(options.filter)
    if not (options.id or filters):
        raise SimileError("Name the pictures with --id or --filter.")
    collection = open_collection(options.collection, options.home, options.url)
    ids = [*options.id, *(sorted(matching(*collection.live, filters)) if filters else [])]
    told = (collection.untag if options.remove else collection.tag)(ids, options.tag)
    if options.json:
        return json.dumps(told)
    if options.remove:
        return (
            f"{told['untagged']:,} pictures lost the tag '{told['tag']}'; {told['had_it_not']:,} did not "
            "have it."
        )
    return f"{told['tagged']:,} pictures got the tag '{told['tag']}'; {told['had_it']:,} had it already."
