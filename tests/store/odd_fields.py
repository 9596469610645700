"""A collection whose payload fields have every kind of name and of value."""

import uuid
from typing import Any

import numpy as np

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.fields import FieldKind
from pipeline.store import Manifest, Store
from pipeline.store.field_paths import SCHEMAS
from pipeline.store.protocol import vector_params

CONFIG = CollectionConfig(collection="odd", source="x", encoders=[EncoderConfig(name="e:v")])
NAMES = ("Shot by", "Unnamed: 0", "it's", "a/b", "exif.make", "a[0]", "plain", "a,b", "größe")
KINDS: dict[str, FieldKind] = {
    **dict.fromkeys(NAMES, FieldKind("text")),
    "tags[]": FieldKind("text", many=True),
    "sold": FieldKind("boolean"),
    "tweet": FieldKind("integer"),
    "year": FieldKind("integer"),
    "rating": FieldKind("number"),
    "scores": FieldKind("number", many=True),
    "when": FieldKind("time"),
}
BIG = 1234567890123456789
N = 8
IDS = [str(uuid.UUID(int=i + 1)) for i in range(N)]


def payload(i: int) -> dict[str, Any]:
    """Point i; every third is without most of its fields, in one of the three ways to be without."""
    own = {"exif": {"make": "nested"}, "a": ["first"], "_simile": {"mark": f"m{i}"}}
    if i % 3 == 2:
        return own | ({"tags[]": [], "sold": None, "year": None, "tweet": BIG + i} if i == 2 else {})
    return {
        **own,
        **{name: f"{name} {i % 2}" for name in NAMES},
        "tags[]": ["red", "big"] if i % 2 else ["blue"],
        "sold": i % 2 == 0,
        "tweet": BIG + i,
        "year": 1900 + i,
        "rating": i / 2,
        "scores": [float(i), i + 0.5],
        "when": f"2024-01-0{i + 1}T10:00:00Z",
    }


def fill(store: Store) -> str:
    """Make the version `odd__1` of eight points, and its alias."""
    indexes = {name: SCHEMAS[kind.kind] for name, kind in KINDS.items()}
    store.create("odd__1", CONFIG, vector_params(CONFIG, {"v": 2}, {}), indexes)
    store.upsert("odd__1", IDS, {"v": np.ones((N, 2), np.float32)}, [payload(i) for i in range(N)])
    store.finish("odd__1")
    store.write_manifest("odd__1", Manifest(collection="odd", filters=tuple(KINDS), kinds=KINDS))
    store.switch("odd", "odd__1")
    return "odd__1"
