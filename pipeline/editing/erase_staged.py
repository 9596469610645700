"""What is staged of pictures that are erased goes.

A row of an erased picture stays in its part, because rows are counted and numbered, but only with its id,
which is a hash. Its payload is null, by which it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.home import filesystem, listed
from pipeline.staging.erased import Trace
from pipeline.staging.ids import find_words, id_texts, id_words, words_of
from pipeline.staging.parts import SCHEMA, Parts
from pipeline.staging.unit_files import READERS, put
from pipeline.staging.vectors import SAMPLED, without_rejects

__all__ = ["erase_staged", "traces_of"]

_KEPT = "id"  # the column of a part that an erased row keeps


def traces_of(parts: Parts, ids: frozenset[str]) -> dict[str, Trace]:
    """Id -> what the parts of units know of it; those that stand in none are missing."""
    found: dict[str, Trace] = {}
    for unit, rows in _units_with(parts, ids):
        told = parts.read(unit, ["id", "digest", "file", "row", "payload"]).take(pa.array(rows))
        for point, row in zip(id_texts(id_words(told["id"])), told.to_pylist(), strict=True):
            if row["payload"] is None:
                continue  # blank already
            before = found.get(point, Trace())
            digests = {*before.digests, *([row["digest"].hex()] if row["digest"] else [])}
            found[point] = Trace((*before.places, f"{row['file']}:{row['row']}"), tuple(sorted(digests)))
    return found


def erase_staged(parts: Parts, ids: frozenset[str]) -> dict[str, int]:
    """Rewrite every staged file that holds something of these pictures; each in one step.

    Returns:
        Numbers of files that were rewritten: `parts` and `vectors`.
    """
    words = words_of(sorted(ids))
    rewritten = {"parts": 0, "vectors": 0}
    for unit, rows in list(_units_with(parts, ids)):
        rewritten["parts"] += _blank(parts, unit, rows)
    for folder in _encoder_folders(parts):
        files, path = filesystem(folder)
        for each in files.get_file_info(pafs.FileSelector(path, recursive=True)):
            if not each.base_name.endswith(".parquet") or each.base_name[0] == ".":
                continue
            if "-" in each.base_name:
                rewritten["vectors"] += _without(f"{folder}/{each.base_name}", words, ids)
            else:  # of Simile 0.1.0; no job reads it any more
                files.delete_file(each.path)
                rewritten["vectors"] += 1
    return rewritten


def _units_with(parts: Parts, ids: frozenset[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Units that hold some of these pictures, and the numbers of their rows."""
    wanted = words_of(sorted(ids))
    units = sorted(parts.names())

    def rows_of(unit: str) -> np.ndarray:
        return np.flatnonzero(find_words(wanted, id_words(parts.read(unit, ["id"])["id"])) >= 0)

    with ThreadPoolExecutor(READERS) as pool:
        for unit, rows in zip(units, pool.map(rows_of, units), strict=True):
            if len(rows):
                yield unit, rows


def _blank(parts: Parts, unit: str, rows: np.ndarray) -> bool:
    table = parts.read(unit)
    erased = np.zeros(len(table), bool)
    erased[rows] = True
    there = np.asarray(table["payload"].is_valid()) | np.asarray(table["stage"].is_valid())
    if not (there & erased).any():
        return False
    keep = pa.array(~erased)
    columns = {
        name: table[name]
        if name == _KEPT
        else pc.if_else(keep, table[name].combine_chunks(), pa.scalar(None, SCHEMA.field(name).type))
        for name in table.column_names
    }
    parts.rewrite(unit, pa.table(columns, schema=table.schema))
    return True


def _encoder_folders(parts: Parts) -> list[str]:
    """Folders of staged vectors, of whatever encoder."""
    root = f"{parts.home}/staging/{parts.collection}"
    folders = (each.base_name for each in listed(root) if each.type == pafs.FileType.Directory)
    return [f"{root}/{name}" for name in sorted(folders) if name not in ("parts", "loads")]


def _without(location: str, words: np.ndarray, ids: frozenset[str]) -> bool:
    """Rewrite the vectors of a unit without these pictures, if some are there."""
    files, path = filesystem(location)
    schema = pq.read_schema(path, filesystem=files)
    about = without_rejects(schema.metadata or {}, ids)
    there = find_words(words, id_words(pq.read_table(path, columns=["id"], filesystem=files)["id"])) >= 0
    if not there.any() and about is None:
        return False
    table = pq.read_table(path, filesystem=files, use_threads=False).filter(pa.array(~there))
    put(location, table.replace_schema_metadata(about or schema.metadata), SAMPLED)
    return True
