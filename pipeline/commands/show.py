"""`python -m pipeline show COLLECTION [ID]`: what a collection is, or what is stored of one picture."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.search import Collection, Hit

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "show"
HELP = "say what a collection holds, or what is stored of one of its pictures"
_VALUES = 12  # of a filter, the most frequent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The collection, and perhaps a picture."""
    parser.add_argument("collection")
    parser.add_argument("id", nargs="?", help="id of a picture, as in the results of a search")


def run(options: argparse.Namespace) -> str:
    """Lines of `name: value`, or JSON."""
    from pipeline.printable import printable
    from pipeline.search import open_collection

    collection = open_collection(options.collection, options.home, options.url)
    facts = _picture(collection.get(options.id)) if options.id else _facts(collection)
    if options.json:
        return json.dumps(facts, default=str)
    lines = [
        f"{name}: {printable(_text(value))}" for name, value in facts.items() if value not in (None, "", [])
    ]
    return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return "; ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _picture(hit: "Hit") -> dict[str, Any]:
    from pipeline.search.hit_table import row_of

    about = hit.payload.get("_simile") or {}
    return row_of(hit, {}) | {name: about.get(name) for name in ("width", "height", "credit")}


def _facts(collection: "Collection") -> dict[str, Any]:
    manifest = collection.manifest
    return {
        "collection": collection.name,
        "title": collection.title,
        "version": collection.version,
        "pictures": collection.count,
        "built": manifest.built,
        "source": manifest.source,
        "split": manifest.split,
        "licence": manifest.licence,
        "credit": collection.credit,
        "being built": collection.unfinished,
        "encoders": [
            {
                "name": entry.name,
                "components": entry.prepared_dimension,
                "bits": entry.code_bits,
                "recall@10": entry.measured.cosine.recall
                if entry.measured and entry.measured.cosine
                else None,
            }
            for entry in manifest.encoders
        ],
    } | {f"filter {field}": _values(collection, field) for field in collection.filters}


def _values(collection: "Collection", field: str) -> dict[str, Any]:
    """The kind of a filter, and its values or their ends."""
    kind = collection.kinds[field]
    told: dict[str, Any] = {"holds": kind.words}
    if kind.counted:
        told |= {str(value): count for value, count in collection.facets(field, limit=_VALUES)}
    elif ends := collection.bounds(field):
        told |= {"from": str(ends[0]), "to": str(ends[1])}
    return told
