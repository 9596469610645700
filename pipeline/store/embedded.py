"""The embedded Qdrant engine: a folder, no server. Versions are written without a log and read by many."""

import ctypes
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge
from qdrant_client import models
from safetensors.numpy import save_file

from pipeline.config import CollectionConfig
from pipeline.errors import NotFinishedError, SimileError
from pipeline.home import copy_sparse, write_file
from pipeline.projection import read_tensors
from pipeline.store import embedded_translation as translate
from pipeline.store.embedded_reading import ReadingShards
from pipeline.store.manifest import Manifest, read_manifest
from pipeline.store.protocol import Resident
from pipeline.store.thumbnail_files import ThumbnailFiles

__all__ = ["EmbeddedStore"]

_MANIFEST, _PROJECTIONS = "manifest.json", "projections.safetensors"
_OWN_FILES = (_MANIFEST, _PROJECTIONS)


class EmbeddedStore(ReadingShards):
    """Implements `pipeline.store.Store` over `qdrant_edge` shards below one folder.

    `<folder>/<alias>.alias` holds the name of the live version and is replaced in one step;
    `<folder>/<version>/` holds the shard, its manifest and its projections.
    """

    parallel_writes = False
    in_place = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.thumbnails = ThumbnailFiles(str(folder.parent))
        self.address = str(folder)
        self.engine = f"the embedded Qdrant engine in {folder}"
        self._open: dict[str, edge.EdgeShard] = {}
        self._written: dict[str, int] = {}  # points since a segment was made
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return EmbeddedStore, (self.folder,)

    def aliases(self) -> dict[str, str]:
        """Alias -> version."""
        return {p.stem: p.read_text(encoding="utf-8").strip() for p in sorted(self.folder.glob("*.alias"))}

    def versions(self, alias: str) -> list[str]:
        """All versions of `alias`, oldest first."""
        found = (p for p in self.folder.glob(f"{alias}__*") if p.is_dir() and p.suffix != ".draft")
        return sorted(p.name for p in found)

    def check(self, alias: str) -> None:
        """A folder is there or not, which `create` finds out."""

    def check_whole(self, version: str) -> None:
        """A version is one folder."""

    def create(
        self,
        version: str,
        config: CollectionConfig,
        vectors: dict[str, models.VectorParams],
        payload_indexes: dict[str, models.PayloadSchemaType],
    ) -> None:
        """Make the shard and its payload indexes (before any point, so that filtered edges get built)."""
        shard_folder = self._shard_folder(version)
        shard_folder.mkdir(parents=True, exist_ok=False)
        shard = edge.EdgeShard.create(str(shard_folder), translate.shard_config(vectors, config))
        self._open[version] = shard
        self.add_indexes(version, config, payload_indexes)

    def add_indexes(
        self, version: str, config: CollectionConfig, payload_indexes: dict[str, models.PayloadSchemaType]
    ) -> None:
        """A field that is indexed in another way is indexed anew."""
        for field, schema in payload_indexes.items():
            self._shard(version).update(
                translate.field_index(field, schema, models.Memory(config.memory.payload_indexes))
            )
        self._shard(version).flush()

    def upsert(
        self,
        version: str,
        ids: Sequence[str],
        vectors: dict[str, np.ndarray],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Write points. Without a log, only `flush` makes them durable.

        Of a large version, each `SEGMENT` points become a segment of their own as soon as they are there.
        """
        # The engine copies a buffer in one step, but reads a numpy array number by number.
        buffers: dict[str, list[Any]] = {
            name: [memoryview(row) for row in np.ascontiguousarray(rows, np.float32)]
            for name, rows in vectors.items()
        }
        points = [
            edge.Point(point, {name: rows[i] for name, rows in buffers.items()}, payloads[i])
            for i, point in enumerate(ids)
        ]
        self._shard(version).update(edge.UpdateOperation.upsert_points(points))
        self._written[version] = self._written.get(version, 0) + len(ids)
        if self._written[version] >= translate.SEGMENT:
            self._index(version)

    def copy(self, version: str, copy: str) -> None:
        """Copy the shard's folder, under a draft name until it is whole.

        Whoever copies goes on with the copy, so the original does not stay open: that takes some 190 bytes a
        point.
        """
        self.release(version)
        for left in self.folder.glob(f"{copy.partition('__')[0]}__*.draft"):  # left by jobs that were killed
            shutil.rmtree(left, ignore_errors=True)
        draft = self.folder / f"{copy}.draft"
        shutil.copytree(self._shard_folder(version), draft / "shard", copy_function=copy_sparse)
        draft.replace(self.folder / copy)

    def set_graphs(
        self, version: str, config: CollectionConfig, vectors: dict[str, models.VectorParams]
    ) -> None:
        """Open the shard with another configuration, which it keeps; `optimize` builds what is missing."""
        self.release(version)
        shard_folder = str(self._shard_folder(version))
        self._open[version] = edge.EdgeShard.load(shard_folder, translate.shard_config(vectors, config))

    def delete(self, version: str, ids: Sequence[str]) -> None:
        """Remove points."""
        self._shard(version).update(edge.UpdateOperation.delete_points(list(ids)))

    def flush(self, version: str) -> None:
        """Write to the disk what is in memory."""
        self._shard(version).flush()

    def finish(self, version: str) -> None:
        """Flush, build HNSW, flush, close."""
        self._index(version)
        self._shard(version).close()
        self._open.pop(version, None)
        _free_unused()

    def _index(self, version: str) -> None:
        """Make a segment, with its graph, of the points that were written since the last one was made."""
        shard = self._shard(version)
        shard.flush()
        shard.optimize()
        shard.flush()
        self._written.pop(version, None)
        _free_unused()

    def finished(self, versions: Sequence[str], *, patient: bool = True) -> set[str]:
        """Those with a manifest's file."""
        return {version for version in versions if (self.folder / version / "manifest.json").is_file()}

    def write_manifest(self, version: str, manifest: Manifest) -> None:
        """Projections first, then the JSON by rename: a manifest that exists is whole."""
        folder = self.folder / version
        if manifest.tensors:
            tensors = {name: np.ascontiguousarray(tensor) for name, tensor in manifest.tensors.items()}
            save_file(tensors, folder / _PROJECTIONS)
        write_file(str(folder / _MANIFEST), manifest.to_json().encode())

    def read_manifest(self, version: str) -> Manifest:
        """The manifest; raises NotFinishedError if the version is not finished."""
        folder = self.folder / version
        if not (folder / _MANIFEST).is_file():
            raise NotFinishedError(f"'{version}' was never finished; index it again.")
        text = (folder / _MANIFEST).read_text(encoding="utf-8")
        projections = folder / _PROJECTIONS
        data = projections.read_bytes() if projections.is_file() else b""
        return read_manifest(version, text, read_tensors(version, data))

    def attach(self, version: str, name: str, data: bytes) -> None:
        """A file beside the manifest."""
        write_file(str(self.folder / version / name), data)

    def attachment(self, version: str, name: str) -> bytes | None:
        """The file's bytes."""
        path = self.folder / version / name
        return path.read_bytes() if path.is_file() else None

    def attachments(self, version: str) -> list[str]:
        """Names of the files beside the manifest."""
        files = (path for path in (self.folder / version).glob("*") if path.is_file())
        return sorted(p.name for p in files if p.name not in _OWN_FILES and p.suffix != ".draft")

    def payload_indexes(self, version: str) -> dict[str, models.PayloadSchemaType]:
        """From the shard."""
        return translate.payload_indexes(self._shard(version))

    def switch(self, alias: str, version: str) -> None:
        """Replace the alias file."""
        write_file(str(self.folder / f"{alias}.alias"), version.encode())

    def release(self, version: str) -> None:
        """Forget the open shard: it closes with its last query, and a later one opens it again."""
        self._open.pop(version, None)

    def drop(self, version: str) -> None:
        """Delete the folder of a version."""
        if version in self.aliases().values():
            raise SimileError(f"'{version}' is live; switch its alias to another version first.")
        self._written.pop(version, None)
        shard = self._open.pop(version, None)
        if shard is not None:
            shard.close()
        shutil.rmtree(self.folder / version, ignore_errors=True)

    def allows_exact(self, version: str) -> bool:
        """Always."""
        return True

    def writers(self, version: str) -> int:
        """The engine locks a shard."""
        return 1

    def payload_index_bytes(self, version: str) -> int | None:
        """The engine's files do not tell what they take in RAM."""
        return None

    def resident_bytes(self, version: str) -> dict[str, Resident] | None:
        """From the sizes of the engine's own files."""
        return translate.resident_bytes(self._shard_folder(version))

    def _shard_folder(self, version: str) -> Path:
        return self.folder / version / "shard"

    def _shard(self, version: str) -> edge.EdgeShard:
        """The open shard; only live and in-progress versions stay open."""
        with self._lock:
            shard = self._open.get(version)
            if shard is None:
                folder = self._shard_folder(version)
                if not folder.is_dir():
                    raise SimileError(f"The store at {self.folder} has no version '{version}'.")
                shard = self._open[version] = edge.EdgeShard.load(str(folder))
                _free_unused()  # a third of what opening took
            return shard


def _free_unused() -> None:
    """Let the C library give back what the engine has freed. Otherwise it keeps that, some hundred MB after a
    million points, for as long as the process lives. Only the GNU C library has a call for it.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
