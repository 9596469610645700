"""An archive -> a new version of a collection, which goes live once it is known to be the same."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from safetensors.numpy import load

from pipeline.backup.archive import Archive, ArchiveFolder
from pipeline.backup.points import Page, page_of, pages_in
from pipeline.errors import SimileError
from pipeline.images.palette import COLOUR_VECTOR
from pipeline.progress import progress
from pipeline.store import Store
from pipeline.store.builds import drop_unfinished, new_version
from pipeline.store.manifest import read_manifest
from pipeline.store.protocol import vector_params
from pipeline.store.read_points import all_points
from pipeline.store.similar_version import config_of
from pipeline.store.unit_record import RECORD

__all__ = ["archived_name", "restore_collection"]

_ROUNDING = 1e-6  # a store makes cosine vectors unit length again, which can change their last bit


def restore_collection(
    store: Store,
    location: str,
    alias: str | None = None,
    *,
    overwrite: bool = False,
    shard_number: int = 1,
    replication_factor: int = 1,
) -> dict[str, Any]:
    """Write an archive to a store as a new version, compare it with the archive, and make it live.

    Only for the one who holds the writer's lock of the collection.

    Args:
        store: where it shall be.
        location: absolute folder or URL of an object store of the archive.
        alias: name of the collection; None: that of the archive.
        overwrite: put the new version before a collection of this name; `--rollback` brings that one back.
        shard_number, replication_factor: of the new version on a server.

    Raises:
        SimileError: no whole archive, a file that is not what was written, a collection that is there
            already, or points that are not the archive's; the alias then stays where it was.
    """
    folder = ArchiveFolder(location)
    archive = folder.index()
    alias = alias or archive.collection
    if alias in store.aliases() and not overwrite:
        raise SimileError(
            f"Collection '{alias}' exists already; choose another name with --as, or add --overwrite."
        )
    _check_files(folder, archive)
    manifest = read_manifest(
        archive.version, folder.read(archive.manifest), load(folder.read(archive.tensors))
    )
    config = config_of(manifest, alias, shard_number, replication_factor)
    drop_unfinished(store, alias, except_for=None)
    version = new_version(alias)
    codes = {entry.code for entry in manifest.encoders}
    params = vector_params(
        config,
        {name: size for name, size in archive.dimensions.items() if name not in {*codes, COLOUR_VECTOR}},
        {name: size for name, size in archive.dimensions.items() if name in codes},
        archive.points,
        colours=COLOUR_VECTOR in archive.dimensions,
    )
    store.create(version, config, params, archive.payload_indexes)
    with progress("restore", archive.points) as bar:
        for page in _pages(folder, archive):
            store.upsert(version, page.ids, page.vectors, page.payloads)
            bar.update(len(page.ids))
    store.finish(version)
    _compare(store, version, folder, archive)
    for name, file in archive.attachments.items():
        # Units of a job name ids, which are hashes of the collection's name too.
        if alias == archive.collection or name != RECORD:
            store.attach(version, name, folder.read(file))
    if alias != archive.collection:
        # Ids of points are hashes of the collection's name too, so no job can go on with these.
        manifest = manifest.model_copy(update={"collection": alias, "source_key": ""})
    store.write_manifest(version, manifest)
    store.switch(alias, version)
    return {
        "collection": alias,
        "version": version,
        "archive": folder.location,
        "points": archive.points,
        "attachments": len(archive.attachments),
        "bytes": archive.size,
    }


def archived_name(location: str) -> str:
    """The name of the collection in an archive.

    Raises:
        SimileError: there is no whole archive.
    """
    return ArchiveFolder(location).index().collection


def _check_files(folder: ArchiveFolder, archive: Archive) -> None:
    with progress("check", len(archive.files), unit="file") as bar:
        for file in archive.files:
            folder.check(file)
            bar.update(1)


def _pages(folder: ArchiveFolder, archive: Archive) -> Iterator[Page]:
    for points in archive.points_files:
        with folder.open(points) as file:
            yield from pages_in(file)


def _compare(store: Store, version: str, folder: ArchiveFolder, archive: Archive) -> None:
    """Read the version and compare each point: a server of which a part is away may count right, or wrong.

    Raises:
        SimileError: a point is missing or differs.
    """
    vectors = list(archive.dimensions)
    stored = all_points(store, version, with_vectors=vectors)
    compared = 0
    with progress("compare", archive.points) as bar:
        for page in _pages(folder, archive):
            there = page_of(list(islice(stored, len(page.ids))), vectors)
            if not _same(page, there):
                raise _different(version, compared)
            compared += len(page.ids)
            bar.update(len(page.ids))
    if compared != archive.points or store.count(version) != archive.points:
        raise _different(version, compared)


def _same(page: Page, there: Page) -> bool:
    return (
        there.ids == page.ids
        and there.payloads == page.payloads
        and all(
            np.allclose(there.vectors[name], rows, rtol=0, atol=_ROUNDING)
            for name, rows in page.vectors.items()
        )
    )


def _different(version: str, compared: int) -> SimileError:
    return SimileError(
        f"'{version}' differs from the archive after {compared:,} equal points; the collection stays as it "
        "was. Restore again; if it happens again, see the server's log."
    )
