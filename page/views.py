"""From hits to what stands on the page: captions, figures, the larger view. All text is escaped."""

from dataclasses import dataclass
from html import escape
from typing import Any

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from pipeline.search import Hit

_ENDINGS = {"image/png": "png", "image/webp": "webp", "image/gif": "gif"}
_LONGEST_VALUE = 300


@dataclass(frozen=True)
class Card:
    """A hit as the page keeps it for a visitor: small, the picture is a file in Gradio's cache."""

    id: str
    collection: str
    picture: str
    caption: str
    label: str
    payload: dict[str, Any]


def card(hit: Hit, collection: str, metric: str | None = None) -> Card:
    """A hit with its picture written where the page may serve it."""
    ending = _ENDINGS.get(hit.thumbnail_type, "jpg")
    picture = save_bytes_to_cache(hit.thumbnail, f"picture.{ending}", get_upload_folder())
    label = hit.label or ""
    caption = " · ".join(part for part in (closeness(hit, metric), label) if part)
    return Card(hit.id, collection, str(picture), caption, label, dict(hit.payload))


def closeness(hit: Hit, metric: str | None) -> str:
    """How near a hit is, in the words of its metric; nothing where there is no metric."""
    if metric is None:
        return ""
    if metric == "hamming":
        bits = int(hit.distance)
        return f"{bits} bit{'' if bits == 1 else 's'}"
    return f"{hit.score:.3f}"


def figures(shown: int, count: int, times: dict[str, float], metric: str, exact: bool) -> str:
    """The line above the hits: `24 of 50,000 · embed 12 ms · search 3 ms · cosine · approximate`."""
    parts = [f"{shown:,} of {count:,}"]
    for step in ("embed", "search"):
        if taken := times.get(f"{step}_ms"):
            parts.append(f"{step} {taken:.0f} ms")
    parts += ["Hamming" if metric == "hamming" else "cosine", "exact" if exact else "approximate"]
    return note(" · ".join(parts))


def note(text: str, *, problem: bool = False) -> str:
    """The status line: figures, a hint, or what went wrong."""
    role = ' role="alert"' if problem else ' role="status"'
    return f'<p class="status{" problem" if problem else ""}"{role}>{escape(sentence(text))}</p>'


def sentence(text: str) -> str:
    """With a capital first letter, as a sentence on a page has."""
    return text[:1].upper() + text[1:]


def credit(text: str | None) -> str:
    """The line below a collection's hits."""
    return f'<p class="credit">{escape(text)}</p>' if text else ""


def details(shown: Card, credit_text: str | None) -> str:
    """What is known about a hit, as a list of fields."""
    title = f"<h3>{escape(shown.label)}</h3>" if shown.label else ""
    about = shown.payload.get("_simile") or {}
    rows = [("Closeness", shown.caption.split(" · ", 1)[0]), *shown.payload.items()]
    if about.get("width") and about.get("height"):
        rows.append(("Size", f"{about['width']} × {about['height']}"))
    fields = "".join(_field(name, value) for name, value in rows if _is_shown(value))
    return f'{title}<dl class="fields">{fields}</dl>{credit(about.get("credit") or credit_text)}'


def _field(name: str, value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if len(text) > _LONGEST_VALUE:
        text = text[:_LONGEST_VALUE] + "…"
    return f"<div><dt>{escape(field_name(name))}</dt><dd>{escape(text)}</dd></div>"


def _is_shown(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, bytes | dict)


def field_name(name: str) -> str:
    """`birth_year` as people write it: `Birth year`."""
    return sentence(name.replace("_", " ").strip())
