"""A map as it is kept with a version: one safetensors file. Its sheets of thumbnails are other files."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.errors import SimileError

__all__ = ["MAP", "NO_TILE", "Map", "MapField", "read_map", "sheet_name", "write_map"]

MAP = "map.safetensors"
NO_TILE = -1
_FORMAT = 1  # changes when an older reader would misread the file


def sheet_name(number: int) -> str:
    """The attachment that holds sheet `number`; sheet 0 is a sample of the whole map."""
    return f"map-{number:03d}.webp"


@dataclass(frozen=True)
class MapField:
    """A payload field, by which dots can be coloured.

    Attributes:
        names: values, most frequent first; the last one may be `OTHER`.
        values: (N,) uint16, index into `names`.
    """

    names: list[str]
    values: np.ndarray


@dataclass(frozen=True)
class Map:
    """Places of N points, in an order in which neighbours on the map come close to each other.

    Attributes:
        ids: (N,) point ids.
        positions: (N, 2) float32 in −1 to 1.
        labels: payload field -> its values.
        tiles: (N,) int32, number of the thumbnail, counted from the first on sheet 1; −1: there is none.
        sample: (S,) int32, the points on sheet 0, in its order.
        facts: `side` and `columns` of a sheet, `sheets`, `points` of the version, `vector`, `seed`, `made`.
    """

    ids: list[str]
    positions: np.ndarray
    labels: dict[str, MapField]
    tiles: np.ndarray
    sample: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)

    def index(self) -> dict[str, int]:
        """Id -> its number on this map."""
        return {point: number for number, point in enumerate(self.ids)}


def write_map(made: Map) -> bytes:
    """One safetensors file; ids take 16 bytes each."""
    facts = made.facts | {"format": _FORMAT, "names": {name: of.names for name, of in made.labels.items()}}
    tensors = {
        "ids": np.frombuffer(b"".join(uuid.UUID(i).bytes for i in made.ids), np.uint8).reshape(-1, 16),
        "positions": made.positions.astype(np.float32),
        "tiles": made.tiles.astype(np.int32),
        "sample": made.sample.astype(np.int32),
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
    }
    tensors |= {f"label {name}": of.values.astype(np.uint16) for name, of in made.labels.items()}
    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def read_map(data: bytes) -> Map:
    """What `write_map` wrote.

    Raises:
        SimileError: not a map, or of another version of Simile.
    """
    try:
        tensors = load(data)
        facts = json.loads(tensors["facts"].tobytes())
        if facts.pop("format") != _FORMAT:
            raise ValueError("another format")
        named = facts.pop("names").items()
        labels = {name: MapField(names, tensors[f"label {name}"]) for name, names in named}
        ids = [str(uuid.UUID(bytes=row.tobytes())) for row in tensors["ids"]]
        return Map(ids, tensors["positions"], labels, tensors["tiles"], tensors["sample"], facts)
    except (SafetensorError, KeyError, ValueError) as error:
        raise SimileError(
            f"the map of this collection cannot be read ({error}); make it again with python -m ray_jobs.map"
        ) from None
