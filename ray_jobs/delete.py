"""Take pictures out of a collection: python -m ray_jobs.delete COLLECTION [--id ID] [--filter FIELD=VALUE]

They stay out, also when the source is indexed again, until `--restore` is followed by an index job.
"""

import json
import re
from typing import Any

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from ray_jobs.session import job_parser, print_result, report_errors

__all__ = ["main"]

_OPERATORS = {"=": "any", "!=": "not", ">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}


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
        help="also FIELD!=VALUE and FIELD>=VALUE (>, <=, <), or a JSON object as in a search; may be "
        "repeated: fields are ANDed",
    )
    parser.add_argument("--restore", action="store_true", help="let deleted pictures come back")
    options = parser.parse_args(arguments)
    with report_errors():
        filters = parse_filters(options.filter)
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


def parse_filters(texts: list[str]) -> dict[str, Any]:
    """What `--filter` asks, as a search takes it. Values are texts; the collection's fields give them a type.

    `["artist=Monet", "artist=Goya", "year>=1900", "year!=1912"]` becomes
    `{"artist": {"any": ["Monet", "Goya"]}, "year": {"gte": "1900", "not": ["1912"]}}`.

    Raises:
        SimileError: a text that is neither a comparison nor a JSON object, or one bound of a field twice.
    """
    filters: dict[str, dict[str, Any]] = {}
    for text in texts:
        for field, operator, value in _comparisons(text):
            wanted = filters.setdefault(field, {})
            if operator in ("any", "not"):
                wanted.setdefault(operator, []).append(value)
            elif operator in wanted:
                raise SimileError(f"--filter gives '{field}' two bounds of one kind; keep one of them.")
            else:
                wanted[operator] = value
    return filters


def _comparisons(text: str) -> list[tuple[str, str, Any]]:
    """Field, operator and value of each comparison in a text."""
    if text.startswith("{"):
        try:
            given = json.loads(text)
        except ValueError as error:
            raise SimileError(f"--filter '{text}' is no JSON ({error}).") from None
        return [(field, "any", wanted) for field, each in given.items() for wanted in _each(each)]
    found = re.match(r"(.+?)(!=|>=|<=|=|>|<)(.+)", text, re.DOTALL)
    if not found:
        raise SimileError(
            f"--filter '{text}' must be FIELD=VALUE; in place of = stand also !=, >=, >, <= and <, or the "
            'whole is a JSON object such as {"year": null}.'
        )
    return [(found[1], _OPERATORS[found[2]], found[3])]


def _each(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


if __name__ == "__main__":
    main()
