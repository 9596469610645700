"""Manifests and attachments on a server: facts in the version's own metadata, bytes beside it.

Metadata of a collection is replicated by consensus, is part of its snapshots, and comes with one request that
asks for the collection. Its keys that begin with `simile` are ours. A change replaces whole keys, so each
attachment has one of its own, and two jobs that attach different things do not undo each other's.

Versions of Simile 0.1.0 lie as they were written, in the collection `simile_manifests`; they are read, and
written anew when they change.
"""

import base64
import json
import logging
import uuid
from collections.abc import Sequence
from typing import Any

from qdrant_client import QdrantClient, models
from safetensors.numpy import save

from pipeline.errors import NotFinishedError, SimileError
from pipeline.projection import read_tensors
from pipeline.store.manifest import Manifest, read_manifest
from pipeline.store.server_attachments import Attachments, Kept
from pipeline.store.server_collections import look_at
from pipeline.store.server_errors import ServerError
from pipeline.store.servers import Servers

__all__ = ["LAYOUT", "ServerManifests"]

LAYOUT: dict[str, Any] = {"simile": {"layout": 2}}  # metadata of every new version; 1 had none
EARLIER = "simile_manifests"  # layout 1: a point a version, and a point an attachment
_MANIFEST = "simile_manifest"
_ATTACHED = "simile_attached:"
_TENSORS = "projections.safetensors"
_PAGE = 256

log = logging.getLogger("simile")


class ServerManifests:
    """What versions say of themselves, and what is kept beside them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._attachments = Attachments(servers)
        self._finished: set[str] = set()  # a manifest is never taken back, until its version is dropped

    def prepare(self, replicas: int) -> None:
        """Have a place for attachments of versions with this many replicas."""
        self._attachments.prepare(replicas)

    def finished(self, versions: Sequence[str], patient: bool) -> set[str]:
        """See `Store.finished`."""
        earlier = []
        for version in set(versions) - self._finished:
            try:
                metadata = self._metadata(version, patient)
            except ServerError as error:
                if patient:
                    raise
                log.warning("'%s' is left out, as it cannot be read now: %s", version, error)
                continue
            if metadata is not None and _MANIFEST in metadata:
                self._finished.add(version)
            elif metadata is not None and "simile" not in metadata:
                earlier.append(version)
        if earlier:
            self._finished |= self._finished_earlier(earlier, patient)
        return self._finished & set(versions)

    def _finished_earlier(self, versions: Sequence[str], patient: bool) -> set[str]:
        ids = {_earlier_id(version): version for version in versions}
        try:
            found = self._earlier(list(ids), ["version"], patient)
        except ServerError as error:
            if patient:
                raise
            log.warning("collections of Simile 0.1.0 are left out, as they cannot be read now: %s", error)
            return set()
        return {ids[str(point.id)] for point in found}

    def write(self, version: str, manifest: Manifest) -> None:
        """Tensors first: a manifest that can be read is whole."""
        metadata = self._metadata_of(version)
        told: dict[str, Any] = {"facts": json.loads(manifest.to_json())}
        if manifest.tensors:
            kept = self._put(version, _TENSORS, save(dict(manifest.tensors)))
            told["tensors"] = kept.model_dump()
        self._change(version, {_MANIFEST: told})
        before = (metadata.get(_MANIFEST) or {}).get("tensors")
        if before and before != told.get("tensors"):
            self._attachments.forget(version, _TENSORS, Kept.model_validate(before))

    def read(self, version: str) -> Manifest:
        """The manifest with its tensors.

        Raises:
            NotFinishedError: there is none.
            SimileError: a part of it is gone.
        """
        for _ in range(2):  # a job may have replaced it between the two requests
            metadata = self._metadata(version) or {}
            told = metadata.get(_MANIFEST)
            if told is None:
                return self._read_earlier(version, metadata)
            kept = told.get("tensors")
            data = self._attachments.get(version, _TENSORS, Kept.model_validate(kept)) if kept else None
            if data is not None or not kept:
                return read_manifest(version, json.dumps(told["facts"]), read_tensors(version, data or b""))
        raise SimileError(
            f"The projections of '{version}' are gone from the Qdrant server at {self._servers.shown}; "
            "roll back (--rollback), or index the collection again."
        )

    def _read_earlier(self, version: str, metadata: dict[str, Any]) -> Manifest:
        found = [] if "simile" in metadata else self._earlier([_earlier_id(version)])
        if not found:
            raise NotFinishedError(f"'{version}' was never finished; index it again.")
        payload = found[0].payload or {}
        tensors = read_tensors(version, base64.b64decode(payload["tensors"]))
        return read_manifest(version, json.dumps(payload["facts"]), tensors)

    def attach(self, version: str, name: str, data: bytes) -> None:
        """See `Store.attach`."""
        before = self._metadata_of(version).get(_ATTACHED + name)
        kept = self._put(version, name, data)
        self._change(version, {_ATTACHED + name: kept.model_dump()})
        if before and before != kept.model_dump():
            self._attachments.forget(version, name, Kept.model_validate(before))

    def attachment(self, version: str, name: str) -> bytes | None:
        """See `Store.attachment`."""
        for _ in range(2):
            metadata = self._metadata(version)
            if metadata is None:
                return None
            kept = metadata.get(_ATTACHED + name)
            if kept is None:
                found = [] if "simile" in metadata else self._earlier([_earlier_id(f"{version}/{name}")])
                return base64.b64decode((found[0].payload or {})["data"]) if found else None
            data = self._attachments.get(version, name, Kept.model_validate(kept))
            if data is not None:
                return data
        return None

    def attachments(self, version: str) -> list[str]:
        """See `Store.attachments`."""
        metadata = self._metadata(version) or {}
        names = {key.removeprefix(_ATTACHED) for key in metadata if key.startswith(_ATTACHED)}
        if "simile" not in metadata:
            names |= {payload["name"] for _, payload in self._all_earlier(version) if "name" in payload}
        return sorted(names)

    def forget(self, version: str, metadata: dict[str, Any]) -> None:
        """Remove what lies beside a version that is dropped; `metadata` is what it had."""
        self._finished.discard(version)
        for key, kept in metadata.items():
            if key.startswith(_ATTACHED):
                self._attachments.forget(version, key.removeprefix(_ATTACHED), Kept.model_validate(kept))
        if tensors := (metadata.get(_MANIFEST) or {}).get("tensors"):
            self._attachments.forget(version, _TENSORS, Kept.model_validate(tensors))
        if "simile" not in metadata:
            self._forget_earlier(version)

    def _forget_earlier(self, version: str) -> None:
        if ids := [point for point, _ in self._all_earlier(version)]:
            self._servers.ask(QdrantClient.delete, EARLIER, models.PointIdsList(points=ids), wait=True)

    def _all_earlier(self, version: str) -> list[tuple[Any, dict[str, Any]]]:
        """Id and payload (without bytes) of the points of a version in layout 1.

        All points are read, because strict mode may forbid to filter by a field without an index.
        """
        if look_at(self._servers, EARLIER) is None:
            return []
        offset, kept = None, []
        while True:
            found, offset = self._servers.ask(
                QdrantClient.scroll, EARLIER, limit=_PAGE, offset=offset, with_payload=["version", "name"]
            )
            kept += [(point.id, point.payload or {}) for point in found]
            if offset is None:
                return [(point, payload) for point, payload in kept if payload.get("version") == version]

    def metadata(self, version: str) -> dict[str, Any]:
        """What the collection of a version says beside its settings; {} where there is no such version."""
        return self._metadata(version) or {}

    def _metadata(self, version: str, patient: bool = True) -> dict[str, Any] | None:
        info = look_at(self._servers, version, patient)
        return None if info is None else dict(info.config.metadata or {})

    def _metadata_of(self, version: str) -> dict[str, Any]:
        metadata = self._metadata(version)
        if metadata is None:
            raise SimileError(f"The store at {self._servers.shown} has no version '{version}'.")
        return metadata

    def _put(self, version: str, name: str, data: bytes) -> Kept:
        info = look_at(self._servers, version)
        replicas = (info.config.params.replication_factor if info else None) or 1
        return self._attachments.put(version, name, data, replicas)

    def _change(self, version: str, metadata: dict[str, Any]) -> None:
        self._servers.change(QdrantClient.update_collection, version, metadata=metadata)

    def _earlier(
        self, ids: list[str], fields: list[str] | None = None, patient: bool = True
    ) -> list[models.Record]:
        """Points of layout 1."""
        if look_at(self._servers, EARLIER, patient) is None:
            return []
        ask = self._servers.ask if patient else self._servers.ask_once
        return ask(QdrantClient.retrieve, EARLIER, ids, with_payload=fields or True)


def _earlier_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"simile-manifest/{name}"))
