"""A map as it is kept with a version: one safetensors file. Its sheets of thumbnails are other files."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.errors import SimileError
from pipeline.parsing import parse_json

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
        SimileError: not a map, a damaged one, or of another version of Simile.
    """
    try:
        tensors = load(data)
        facts = parse_json(tensors["facts"].tobytes())
        if facts.pop("format") != _FORMAT:
            raise ValueError("another format")
        named = facts.pop("names").items()
        labels = {name: MapField(names, tensors[f"label {name}"]) for name, names in named}
        ids = [str(uuid.UUID(bytes=row.tobytes())) for row in tensors["ids"]]
        made = Map(ids, tensors["positions"], labels, tensors["tiles"], tensors["sample"], facts)
        _check(made)
        return made
    except (SafetensorError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise SimileError(
            f"the map of this collection cannot be read ({error}); make it again with python -m ray_jobs.map"
        ) from None


def _check(made: Map) -> None:
    """Raises ValueError: arrays are of other lengths, or point at what there is not."""
    count = len(made.ids)
    if made.positions.shape != (count, 2) or made.tiles.shape != (count,):
        raise ValueError("its numbers of places and pictures differ")
    if made.sample.ndim != 1 or not _all_below(made.sample, count):
        raise ValueError("its sample names pictures that it does not have")
    for name, of in made.labels.items():
        if of.values.shape != (count,) or not _all_below(of.values, len(of.names)):
            raise ValueError(f"its labels '{name}' are incomplete")
    arranged = [made.facts.get(name) for name in ("side", "columns", "sheets")]
    if not all(isinstance(number, int) and number >= 0 for number in arranged):
        raise ValueError("it does not say how its sheets are arranged")
    if made.facts["sheets"] > 1 + count:  # that of the sample, and at the very most one for each picture
        raise ValueError("it has more sheets than pictures")


def _all_below(numbers: np.ndarray, count: int) -> bool:
    """Whether these are whole numbers from 0 to below `count`."""
    return np.issubdtype(numbers.dtype, np.integer) and bool(((numbers >= 0) & (numbers < count)).all())
