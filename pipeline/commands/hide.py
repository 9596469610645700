"""`python -m pipeline hide COLLECTION ID …`: the page does not show these pictures, at once and from now on.

The list is <home>/hidden/COLLECTION.txt, a line an id; it can be edited by hand.
"""

import argparse
import json

from pipeline.errors import SimileError

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "hide"
HELP = "hide pictures on the page, show them again, or list those that are hidden"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The collection, pictures of it, and what is done with them."""
    parser.add_argument("collection")
    parser.add_argument("id", nargs="*", help="ids of pictures; none: list those that are hidden")
    parser.add_argument("--show", action="store_true", help="show these pictures again")
    parser.add_argument("--remark", default="", help="a remark to keep beside each id in the list")


def run(options: argparse.Namespace) -> str:
    """How many are hidden, or their ids.

    Raises:
        SimileError: no such collection, or it has no picture of an id.
    """
    from pipeline.home import resolve_home
    from pipeline.moderation.hidden import hidden_ids, hide, show
    from pipeline.search import open_collection

    home, name = resolve_home(options.home), options.collection
    found = open_collection(name, options.home, options.url)
    if options.show and not options.id:
        raise SimileError("Give the ids of the pictures to show again.")
    if not options.id:
        listed = hidden_ids(home, name)
        return json.dumps(listed) if options.json else "\n".join(listed) or f"'{name}' hides no picture."
    if options.show:
        count = show(home, name, options.id)
    else:
        missing = [one for one in options.id if one not in found]
        if missing:
            raise SimileError(f"'{name}' has no picture '{missing[0]}'; nothing was hidden.")
        count = hide(home, name, options.id, options.remark)
    said = {"collection": name, "hidden": count}
    return json.dumps(said) if options.json else f"'{name}' hides {count:,} picture{'s'[: count != 1]} now."
