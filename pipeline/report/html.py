"""A collection -> one self-contained HTML page, kept beside its version."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import SimileError
from pipeline.evaluation.pool import read_stored
from pipeline.evaluation.results import kept
from pipeline.evaluation.scores import MEASURES
from pipeline.report.environment import page_environment, plain
from pipeline.report.pictures import load_pictures
from pipeline.report.sections import EncoderSection, encoder_section, nearest_unusualness
from pipeline.store import Store
from pipeline.store.manifest import Manifest
from pipeline.store.measured import IndexCheck

__all__ = ["REPORT", "make_report", "render"]

REPORT = "report.html"  # attachment
_FIRST = "unseen-database"  # key of the protocol that is the headline


def make_report(store: Store, version: str) -> str:
    """Read the whole version, measure, draw; returns the page.

    Raises:
        SimileError: the version holds fewer than two pictures.
    """
    if (count := store.count(version)) < 2:
        raise SimileError(f"'{version}' holds {count} pictures; a report compares them and needs two.")
    manifest = store.read_manifest(version)
    sections = []
    for entry in manifest.encoders:
        pool, vectors, ids = read_stored(store, version, entry, manifest.labels)
        labels = {name: each for name, each in pool.labels.items() if each.tell_apart}
        sections.append(encoder_section(entry, ids, vectors.prepared, vectors.codes, labels))
    wanted = set().union(*(section.pictures for section in sections))
    pictures = load_pictures(store, version, wanted, manifest.labels)
    return render(manifest, count, sections, pictures, kept(store, version))


def render(
    manifest: Manifest,
    count: int,
    sections: list[EncoderSection],
    pictures: Mapping[str, Any],
    results: list[dict[str, Any]],
) -> str:
    """The page, from what was measured."""
    return (
        page_environment()
        .get_template("page.html.j2")
        .render(
            manifest=manifest,
            title=manifest.title or manifest.collection,
            count=count,
            sections=sections,
            pictures=pictures,
            results=sorted(results, key=lambda result: (result["key"] != _FIRST, result["key"] == "engine")),
            by_field=_by_field,
            measures=list(MEASURES),
            compared_as=_compared_as,
            settings=_settings,
            name_of=lambda point, field: (
                str(pictures[point].fields.get(field) or "") if point in pictures else ""
            ),
            nearest_unusualness=nearest_unusualness,
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested facts as (path, value) lines."""
    lines: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            lines += _flat(value, f"{name} · ")
        elif isinstance(value, int | float | str | bool):
            lines.append((name, plain(value)))
    return lines


def _by_field(scores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """ "field metric P@k" -> score, as field -> "metric P@k" -> score."""
    fields: dict[str, dict[str, Any]] = {}
    for key, score in scores.items():
        field, metric, measure = key.rsplit(" ", 2)
        fields.setdefault(field, {})[f"{metric} {measure}"] = score
    return fields


def _compared_as(manifest: Manifest, measured: IndexCheck, width: int) -> str:
    """What cosine is computed from in RAM, such as "turbo, 4 bits".

    Args:
        manifest: of the version.
        measured: of an encoder; a version that is too small for a graph is scanned as floats.
        width: components of its vectors.
    """
    settings = manifest.quantization
    floats = measured.bytes is None or measured.bytes.vector >= 4 * width
    if settings is None or settings.kind == "none" or floats:
        return "floats"
    bits = settings.bits
    return f"{settings.kind}, {plain(bits)} bit{'' if bits == 1 else 's'}" if bits else settings.kind


def _settings(manifest: Manifest) -> list[tuple[str, Any]]:
    """What the version was built with, as (path, value) lines."""
    told = {"quantization", "search", "account"}
    said = manifest.model_dump(include=told, exclude={"account": {"reject_examples"}})
    return _flat({name: section for name, section in said.items() if section})
