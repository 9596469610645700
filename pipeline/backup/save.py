"""A live version -> an archive. Only reads the store, so a key that may only read is enough."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, groupby, islice
from typing import Any

import pyarrow.parquet as pq
from safetensors.numpy import save as to_safetensors

from pipeline.backup.archive import Archive, ArchivedFile, ArchiveFolder
from pipeline.backup.points import PAGE, Page, dimensions_of, page_of, schema
from pipeline.errors import SimileError
from pipeline.progress import progress
from pipeline.store import Store
from pipeline.store.builds import BUILD
from pipeline.store.manifest import Version
from pipeline.store.read_points import all_points
from pipeline.store.versions import live_name
from pipeline.version import simile_version

__all__ = ["save_collection"]

_PAGES_A_FILE = 200  # 100,000 points, some hundred megabytes: a size that every object store takes


def save_collection(store: Store, alias: str, location: str, *, overwrite: bool = False) -> dict[str, Any]:
    """Write points, manifest, attachments and the name of a collection to files.

    Args:
        store: where the collection is.
        alias: the collection.
        location: absolute folder or URL of an object store of the archive.
        overwrite: replace an archive that is there; it stays whole until the new one is.

    Raises:
        SimileError: no such collection, an archive that is there already, or a collection that changed while
            it was read.
    """
    folder = ArchiveFolder(location)
    name = live_name(store, alias)
    live = Version(name, store.read_manifest(name))  # as it was written, whatever wrote it
    if folder.exists() and not overwrite:
        raise SimileError(
            f"'{folder.location}' holds an archive already; name another folder, or add --overwrite."
        )
    expected = store.count(live.name)
    if not expected:
        raise SimileError(f"'{alias}' holds no picture, so there is nothing to save.")
    points_files, dimensions = _save_points(store, live, folder, expected)
    attachments = {}
    for name in store.attachments(live.name):
        data = store.attachment(live.name, name)
        if name != BUILD and data is not None:  # BUILD says what the job was that built this version
            attachments[name] = folder.write(f"attachments/{name}", data)
    archive = Archive(
        simile=simile_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        collection=alias,
        version=live.name,
        points=expected,
        dimensions=dimensions,
        payload_indexes=store.payload_indexes(live.name),
        manifest=folder.write("manifest.json", live.manifest.to_json().encode()),
        tensors=folder.write("tensors.safetensors", to_safetensors(dict(live.manifest.tensors))),
        points_files=points_files,
        attachments=attachments,
    )
    folder.complete(archive)
    return {
        "collection": alias,
        "version": live.name,
        "archive": folder.location,
        "points": archive.points,
        "attachments": len(attachments),
        "bytes": archive.size,
    }


def _save_points(
    store: Store, live: Version, folder: ArchiveFolder, expected: int
) -> tuple[tuple[ArchivedFile, ...], dict[str, int]]:
    """The files, and named vector -> components."""
    pages = _pages(store, live)
    first = next(pages)
    dimensions = dimensions_of(first)
    numbered = groupby(enumerate(chain([first], pages)), key=lambda each: each[0] // _PAGES_A_FILE)
    files, found = [], 0
    with progress("save", expected) as bar:
        for number, part in numbered:
            with (
                folder.writing(f"points-{number:05}.parquet") as (path, file),
                pq.ParquetWriter(file, schema(dimensions), compression="zstd") as writer,
            ):
                for _, page in part:
                    writer.write_table(page.table())
                    found += len(page.ids)
                    bar.update(len(page.ids))
            files.append(file.archived_as(path))
    if not found == expected == store.count(live.name):
        raise SimileError(
            f"'{live.manifest.collection}' changed while it was saved: {found:,} points were read and "
            f"{expected:,} expected; try again when no job writes it."
        )
    return tuple(files), dimensions


def _pages(store: Store, live: Version) -> Iterator[Page]:
    vectors = live.manifest.vector_names
    records = all_points(store, live.name, with_vectors=vectors, page=PAGE)
    while page := list(islice(records, PAGE)):
        yield page_of(page, vectors)
