"""A collection -> one self-contained HTML page, kept beside its version."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.evaluation.labels import UNLABELLED, Labels
from pipeline.evaluation.stored import kept, read_stored
from pipeline.report.pictures import load_pictures
from pipeline.report.sections import EncoderSection, encoder_section, nearest_unusualness
from pipeline.sources import public_name
from pipeline.store import Store

__all__ = ["REPORT", "make_report", "render"]

REPORT = "report.html"  # attachment
_FOLDER = Path(__file__).parent
_MEASURES = ("P@1", "P@10", "mAP@100", "mAP@R", "mAP@all", "nDCG@10")


def make_report(store: Store, version: str) -> str:
    """Read the whole version, measure, draw; returns the page.

    Raises:
        SimileError: the version holds no pictures.
    """
    facts = store.read_manifest(version).facts
    sections = []
    for encoder in facts["encoders"]:
        pool, vectors, ids = read_stored(store, version, encoder, facts["filters"])
        labels = {name: each for name, each in pool.labels.items() if _tells_apart(each)}
        sections.append(encoder_section(encoder, ids, vectors.prepared, vectors.codes, labels))
    wanted = set().union(*(section.pictures for section in sections))
    pictures = load_pictures(store, version, wanted, facts["filters"])
    return render(facts, store.count(version), sections, pictures, kept(store, version))


def render(
    facts: Mapping[str, Any],
    count: int,
    sections: list[EncoderSection],
    pictures: Mapping[str, Any],
    results: list[dict[str, Any]],
) -> str:
    """The page, from what was measured."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup  # charts.py escapes what comes from the data
    environment.filters["percent"] = _percent
    environment.filters["public_name"] = public_name
    environment.filters["number"] = "{:,}".format
    environment.filters["two"] = "{:.2f}".format
    environment.filters["three"] = "{:.3f}".format
    return environment.get_template("page.html.j2").render(
        facts=facts,
        title=facts.get("title") or facts["collection"],
        count=count,
        sections=sections,
        pictures=pictures,
        results=results,
        measures=_MEASURES,
        flat=_flat,
        name_of=lambda point, field: (
            str(pictures[point].fields.get(field) or "") if point in pictures else ""
        ),
        nearest_unusualness=nearest_unusualness,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _tells_apart(labels: Labels) -> bool:
    """Two labels or more, that some pictures share, and not one for every picture."""
    counts = np.bincount(labels.values[labels.values != UNLABELLED], minlength=1)
    return (counts > 0).sum() > 1 and counts.max() > 1 and (counts > 0).sum() <= counts.sum() / 2


def _percent(value: float) -> str:
    """Enough digits to tell 99.99 % from 100 %."""
    if value in (0, 1) or 0.001 <= value <= 0.999:
        return f"{value:.1%}".replace("%", "\u00a0%")
    return f"{value:.3%}".replace("%", "\u00a0%")


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested facts as (path, value) lines."""
    lines: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            lines += _flat(value, f"{name} · ")
        elif isinstance(value, int | float | str | bool):
            lines.append((name, round(value, 4) if isinstance(value, float) else value))
    return lines
