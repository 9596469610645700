"""Words and figures as the page writes them; in HTML, whatever comes from data is escaped."""

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipeline.parsing import parse_json
from pipeline.search.query import is_vector_text

__all__ = [
    "Verbatim",
    "closeness",
    "credit",
    "field_list",
    "field_name",
    "milliseconds",
    "note",
    "numbered_names",
    "rarity",
    "readable",
    "result_line",
    "sentence",
    "spoken",
    "top_share",
    "unusual_words",
    "value_words",
]

_OPERATORS = {"gte": "from", "gt": "above", "lte": "up to", "lt": "below", "any": ""}
_LONGEST_VALUE, _LONGEST_LINK = 300, 60  # characters
_ADDRESS = re.compile(r"https?://[^\s\"'<>\\]{3,2000}")
_SLUG = re.compile(r"[a-z0-9.']+(-[a-z0-9.']+)+")
_SUFFIX = re.compile(r"_(?=[a-z]$)")  # ukiyo_e is written ukiyo-e
# Words that stay in lower case inside a name.
_PARTICLES = frozenset(("da", "de", "del", "della", "den", "der", "di", "du", "ten", "ter", "van", "von"))


def note(text: str, *, problem: bool = False) -> str:
    """The status line: figures, a hint, or what went wrong."""
    role = ' role="alert"' if problem else ' role="status"'
    return f'<p class="status{" problem" if problem else ""}"{role}>{escape(sentence(text))}</p>'


def result_line(said: str, details: Sequence[str]) -> str:
    """What was found in words, with the figures for those who ask for them."""
    return (
        f'<div class="status result" role="status"><p>{escape(said)}</p>'
        f"<details><summary>Details</summary>{escape(' · '.join(details))}</details></div>"
    )


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def field_name(name: str) -> str:
    """`birth_year` as people write it: `Birth year`."""
    return sentence(name.replace("_", " ").strip())


def readable(value: Any) -> str:
    """The name of a class as people write it; anything else unchanged.

    >>> readable("vincent-van-gogh"), readable("still_life"), readable("Art_Nouveau"), readable("Ukiyo_e")
    ('Vincent van Gogh', 'Still life', 'Art Nouveau', 'Ukiyo-e')
    """
    text = str(value)
    if _SLUG.fullmatch(text):
        parts = (part if part in _PARTICLES else part.capitalize() for part in text.split("-"))
        return sentence(" ".join(parts))
    return sentence(_SUFFIX.sub("-", text).replace("_", " "))


def value_words(value: Any) -> str:
    """A value of a filter, as people write it; None is no value, a mapping a range or a negation.

    >>> value_words(True), value_words(None), value_words("still_life")
    ('Yes', 'No value', 'Still life')
    >>> value_words({"gte": 1900, "lt": 1950}), value_words({"not": ["cat"]})
    ('from 1900, below 1950', 'not Cat')
    """
    if value is None:
        return "No value"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{_OPERATORS.get(name, name)} {value_words(each)}".strip() for name, each in value.items()
        )
    if isinstance(value, list | tuple):
        return ", ".join(map(value_words, value))
    return readable(value)


def numbered_names(names: Sequence[str]) -> list[str]:
    """The names, with a number where several are the same.

    >>> numbered_names(["your picture", "Claude Monet", "your picture"])
    ['your picture no. 1', 'Claude Monet', 'your picture no. 2']
    """
    return [
        f"{name} no. {names[: at + 1].count(name)}" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]


def spoken(text: str) -> str:
    """What the query's line of text is called: words as they are, a vector by its length.

    >>> spoken("a red barn"), spoken("[0.5, 1, 2]")
    ('“a red barn”', 'a vector of 3 numbers')
    """
    return f"a vector of {len(parse_json(text)):,} numbers" if is_vector_text(text) else f"“{text}”"


def closeness(metric: str, score: float, distance: float | int) -> str:
    """How near a hit is: bits for Hamming, else the cosine."""
    if metric == "hamming":
        return f"{int(distance)} bit{'' if distance == 1 else 's'}"
    return f"{score:.3f}"


def rarity(unusual: float | None) -> str:
    """`99.9 %`. It is cut and not rounded, so that it never claims more than was measured.

    >>> rarity(0.99961), rarity(0.5), rarity(1.0), rarity(None)
    ('99.96 %', '50 %', '100 %', '')
    """
    if unusual is None:
        return ""
    digits = 0 if unusual < 0.99 or unusual >= 1 else min(3, math.floor(-math.log10(1 - unusual)) - 1)
    shown = math.floor(unusual * 100 * 10**digits + 1e-9) / 10**digits
    return f"{shown:.{digits}f} %"


def top_share(unusual: float | None) -> str:
    """How near a hit is among random pairs. It is rounded up, so that it never claims more than was measured.

    >>> [top_share(unusual) for unusual in (0.98, 0.99961, 0.9949, 0.3, 1.0, None)]
    ['top 2%', 'top 0.04%', 'top 0.6%', 'top 70%', 'very close', '']
    """
    if unusual is None:
        return ""
    if unusual >= 1:
        return "very close"
    share = (1 - unusual) * 100
    digits = 0 if share > 1 else min(3, math.floor(-math.log10(share)) + 1)
    return f"top {math.ceil(share * 10**digits - 1e-6) / 10**digits:g}%"


def unusual_words(unusual: float | None) -> str:
    """How unusual a score is, in words.

    >>> unusual_words(0.996), unusual_words(1.0), unusual_words(None)
    ('nearer than 99.6 % of random pairs', 'nearer than any two random pictures', '')
    """
    if unusual is None:
        return ""
    if unusual >= 1:
        return "nearer than any two random pictures"
    return f"nearer than {rarity(unusual)} of random pairs"


def milliseconds(times: dict[str, float]) -> list[str]:
    """`embed 12 ms`, `search 3 ms`; a step that took no time is left out."""
    taken = ((step, times.get(f"{step}_ms", 0.0)) for step in ("embed", "search"))
    return [f"{step} {max(1, round(value))} ms" for step, value in taken if value >= 0.5 or step == "search"]


def credit(text: str | None) -> str:
    """The line below a collection's hits."""
    return f'<p class="credit">{escape(text)}</p>' if text else ""


class Verbatim(str):
    """A value that is shown unchanged, because it is an identifier and not the name of a class."""

    __slots__ = ()


def field_list(rows: list[tuple[str, Any]]) -> str:
    """Names and values as a list; empty values, bytes and nested ones are left out."""
    return '<dl class="fields">' + "".join(_field(*row) for row in rows if _is_shown(row[1])) + "</dl>"


def _field(name: str, value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else _words(value)
    if isinstance(value, str) and _ADDRESS.fullmatch(value):
        shown = _web_link(value)
    else:
        shown = escape(text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…")
    return f"<div><dt>{escape(field_name(name))}</dt><dd>{shown}</dd></div>"


def _web_link(address: str) -> str:
    """A link that opens beside the page and does not say where the visitor comes from."""
    shown = address.split("//", 1)[1]
    shown = shown if len(shown) <= _LONGEST_LINK else shown[:_LONGEST_LINK] + "…"
    link = escape(address, quote=True)
    return f'<a href="{link}" target="_blank" rel="noopener noreferrer nofollow">{escape(shown)}</a>'


def _words(value: Any) -> str:
    return str(value) if isinstance(value, Verbatim) else readable(value)


def _is_shown(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, bytes | dict)
