"""The map of a collection as the binary files that a browser fetches."""

import hashlib
import struct
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.components.cards import picture_url
from page.wording import field_name, readable
from pipeline.map import Map, sheet_name
from pipeline.map.hidden_points import Covered, cover_tiles, without_points
from pipeline.map.map_file import MAP, read_map
from pipeline.search import Collection
from pipeline.store.hiding_store import hidden_in

__all__ = ["MapFiles", "OpenMap", "pack"]

_LIBRARY = Path(__file__).parents[1] / "static" / "vendor" / "regl-scatterplot.min.js"
_KEPT = 8  # maps in memory; one of 50,000 points takes 10 MB


@dataclass(frozen=True)
class OpenMap:
    """A map that visitors look at.

    Attributes:
        key: hash of the map. The browser sends it back, because another map may have been made since.
        collection: its name.
        map: places, ids and labels.
        facts: JSON for the browser, with the addresses of the files.
    """

    key: str
    collection: str
    map: Map
    facts: dict[str, Any]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Point id -> its number on the map."""
        return self.map.index()


class MapFiles:
    """The maps that were opened last, by key. Asking for an open one costs a hash of its file."""

    def __init__(self) -> None:
        self._open: LRUCache[str, OpenMap] = LRUCache(_KEPT)
        self._lock = threading.Lock()

    def of(self, found: Collection) -> OpenMap | None:
        """The map of the live version, ready for a browser; None where none was made."""
        data = found.attachment(MAP)
        if data is None:
            return None
        hidden = hidden_in(found.live[0])
        about = found.name.encode() + data + "".join(sorted(hidden)).encode()
        key = hashlib.sha256(about).hexdigest()[:16]
        with self._lock:
            if key not in self._open:
                self._open[key] = _prepared(found, key, read_map(data), hidden)
            return self._open[key]

    def get(self, key: Any) -> OpenMap | None:
        """The map that a browser names; None where it is not open (any more)."""
        with self._lock:
            return self._open.get(key) if isinstance(key, str) else None


def _prepared(found: Collection, key: str, made: Map, hidden: frozenset[str]) -> OpenMap:
    made, covered = without_points(made, hidden)
    facts = {
        "key": key,
        "script": _kept(_LIBRARY.read_bytes(), "map.js"),
        "data": _kept(pack(made), "map.bin"),
        "sheets": [
            _kept(_sheet(found, made, n, covered), f"map-{n}.webp") for n in range(made.facts["sheets"])
        ],
        "points": len(made.ids),
        "side": made.facts["side"],
        "columns": made.facts["columns"],
        "fields": [
            {
                "name": name,
                "title": field_name(name),
                "names": [readable(name) for name in of.names],
                "counts": np.bincount(of.values, minlength=len(of.names)).tolist(),
            }
            for name, of in made.labels.items()
        ],
    }
    return OpenMap(key, found.name, made, facts)


def _sheet(found: Collection, made: Map, number: int, covered: Covered) -> bytes:
    data = found.attachment(sheet_name(number)) or b""
    places = covered.get(number)
    return cover_tiles(data, places, made.facts["side"]) if data and places else data


def _kept(data: bytes, name: str) -> str:
    """Writes a file where the page may serve it; returns its address."""
    return picture_url(str(save_bytes_to_cache(data, name, get_upload_folder())))


def pack(made: Map) -> bytes:
    """The map as one little-endian file, which map.js reads.

    uint32 N, S, F (points, samples, fields); int32 tile of N points; int32 point of S samples; uint16 x and y
    of N points, where 0 to 65,535 stand for −1 to 1; and for each of the F fields uint16 label of N points.
    """
    head = struct.pack("<3I", len(made.ids), len(made.sample), len(made.labels))
    places = np.round((made.positions.T + 1) / 2 * 65535).clip(0, 65535).astype("<u2")
    labels = b"".join(of.values.astype("<u2").tobytes() for of in made.labels.values())
    return (
        head
        + made.tiles.astype("<i4").tobytes()
        + made.sample.astype("<i4").tobytes()
        + places.tobytes()
        + labels
    )
