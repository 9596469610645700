"""Values of filters as programs write them: as they are stored, or as the page shows them."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from page.wording import readable
from pipeline.errors import SimileError
from pipeline.printable import printable
from pipeline.search import Collection, Settings

__all__ = ["known_values", "with_known_values"]

_MOST_VALUES = 50_000  # of a field; one that has more is an identifier, whose values are not looked up
_NEAREST = 3  # existing values that a message names


def with_known_values(found: Collection, settings: Settings) -> Settings:
    """The same search with `known_values` of its filters."""
    return replace(
        settings,
        filters=known_values(found, settings.filters),
        excluded=known_values(found, settings.excluded),
    )


def known_values(found: Collection, wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Filters with every text as it is stored: `Claude Monet` is what the page shows for `claude-monet`.

    Raises:
        SimileError: a field of text has no such value; the message names the nearest ones that it has.
    """
    if not wanted:
        return None
    return {field: _known(found, field, value) for field, value in wanted.items()}


def _known(found: Collection, field: str, wanted: Any) -> Any:
    kind = found.kinds.get(field)
    if kind is None or kind.kind != "text":
        return wanted
    stored = [value for value, _ in found.facets(field, limit=_MOST_VALUES)]
    if len(stored) == _MOST_VALUES:
        return wanted
    by_words = {readable(value).casefold(): value for value in stored}
    return _replaced(field, wanted, set(stored), by_words)


def _replaced(field: str, wanted: Any, stored: set[Any], by_words: Mapping[str, Any]) -> Any:
    if isinstance(wanted, Mapping):
        return {key: _replaced(field, value, stored, by_words) for key, value in wanted.items()}
    if isinstance(wanted, list | tuple):
        return [_replaced(field, value, stored, by_words) for value in wanted]
    if not isinstance(wanted, str) or wanted in stored:
        return wanted
    spoken = readable(wanted).casefold()
    if spoken in by_words:
        return by_words[spoken]
    near = [str(by_words[one]) for one in get_close_matches(spoken, list(by_words), _NEAREST)]
    said = f"the nearest are: {', '.join(near)}" if near else "the endpoint /facets lists those that it has"
    raise SimileError(f"{field} has no value {printable(repr(wanted), 60)}; {printable(said, 200)}")
