"""Staged vectors: parquet parts below the home, one folder an encoder, written whole or not at all.

<home>/staging/<collection>/<encoder fingerprint>/<part>.parquet
id: string · vector: float16[D] · thumbnail: binary · thumbnail_type: string · width, height: int32

<home>/staging/<collection>/<encoder fingerprint>/rejects/<part>.parquet
id, stage, reason, first_bytes, kind: string
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.home import filesystem, write_file
from pipeline.images import RULES
from pipeline.staging.rejects import Reject, reject_of

__all__ = ["StagedPicture", "Staging", "part_name", "vectors_of"]

_RULES = "simile.rules"  # key in a part's metadata: the rules of decoding, see `pipeline.images.rules_of`
_REJECT_COLUMNS = ("id", "stage", "reason", "first_bytes", "kind")
_REJECTS = pa.schema([(name, pa.string()) for name in _REJECT_COLUMNS])


@dataclass(frozen=True)
class StagedPicture:
    """What is kept of a picture beside its vector: its thumbnail, and the sides of the original in pixels."""

    id: str
    thumbnail: bytes
    thumbnail_type: str  # such as image/webp
    width: int
    height: int


def part_name(ids: Iterable[str]) -> str:
    """The name of the part that holds these rows: the same batch, embedded again, is the same part."""
    return hashlib.sha256("".join(sorted(ids)).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Staging:
    """The parts of one collection and one encoder; cheap to make and to send to other processes."""

    home: str
    collection: str
    fingerprint: str

    @property
    def folder(self) -> str:
        """Where the parts are, as path or URL."""
        return f"{self.home}/staging/{self.collection}/{self.fingerprint}"

    def write(self, name: str, pictures: Sequence[StagedPicture], vectors: np.ndarray) -> int:
        """Add the part `name`; it appears only when it is complete. Returns its bytes.

        Args:
            pictures: N of them.
            vectors: (N, D) float; kept as float16.
        """
        half = vectors.astype(np.float16)
        columns = {
            "id": pa.array([picture.id for picture in pictures], pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(half.reshape(-1)), half.shape[1]),
            "thumbnail": pa.array([picture.thumbnail for picture in pictures], pa.binary()),
            "thumbnail_type": pa.array([picture.thumbnail_type for picture in pictures], pa.string()),
            "width": pa.array([picture.width for picture in pictures], pa.int32()),
            "height": pa.array([picture.height for picture in pictures], pa.int32()),
        }
        return _write(self.folder, name, pa.table(columns))

    def write_rejects(self, name: str, rejects: Sequence[Reject]) -> int:
        """Keep the pictures of a batch that this encoder cannot take. Returns the bytes of the file."""
        rows = [{column: getattr(reject, column) for column in _REJECT_COLUMNS} for reject in rejects]
        return _write(f"{self.folder}/rejects", name, pa.Table.from_pylist(rows, schema=_REJECTS))

    def parts(self) -> list[str]:
        """Paths of all complete parts on the staging file system."""
        return _parts(self.folder)

    def answered(self, name: str) -> dict[str, bool]:
        """Ids of the part `name`, if it exists -> whether the picture was rejected."""
        rows: dict[str, bool] = {}
        files, _ = filesystem(self.folder)
        for folder, rejected in ((self.folder, False), (f"{self.folder}/rejects", True)):
            path = f"{filesystem(folder)[1]}/{name}.parquet"
            if files.get_file_info(path).type == pafs.FileType.File:
                ids = pq.read_table(path, columns=["id"], filesystem=files)["id"].to_pylist()
                rows.update(dict.fromkeys(ids, rejected))
        return rows

    def places(self) -> dict[str, str]:
        """Id -> path of a part that holds it."""
        found: dict[str, str] = {}
        files, _ = filesystem(self.folder)
        for part in self.parts():
            ids = pq.read_table(part, columns=["id"], filesystem=files)["id"].to_pylist()
            found.update(dict.fromkeys(ids, part))
        return found

    def ids(self) -> set[str]:
        """Ids of all staged rows."""
        return set(_read(self.folder, ["id"])["id"].to_pylist())

    def gather(self, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(F, D) float16 of those of `ids` that are staged, in their order, and (N,) bool which those are."""
        table = _read(self.folder, ["id", "vector"], pads.field("id").isin(pa.array(ids, pa.string())))
        # A row can be staged twice: by a batch that was cut differently after a crash.
        at = {point: row for row, point in enumerate(table["id"].to_pylist())}
        there = np.array([point in at for point in ids], bool)
        rows = [at[point] for point in ids if point in at]
        return vectors_of(table)[rows] if rows else np.empty((0, 0), np.float16), there

    def rejects(self) -> list[Reject]:
        """All pictures that this encoder could not take."""
        rows = _read(f"{self.folder}/rejects", list(_REJECT_COLUMNS), schema=_REJECTS).to_pylist()
        return [reject_of(row) for row in rows]

    def forget_rejects(self) -> int:
        """Let rejected rows be tried again; returns how many they are."""
        files, _ = filesystem(self.folder)
        count = len(self.rejects())
        for part in _parts(f"{self.folder}/rejects"):
            files.delete_file(part)
        return count

    def forget_older(self, rules: Mapping[str, int]) -> int:
        """Take out what was made under older rules of decoding than a picture needs; returns how many rows.

        Args:
            rules: id -> rules, see `pipeline.images.rules_of`.
        """
        files, root = filesystem(self.folder)
        count = 0
        for part in [*_parts(self.folder), *_parts(f"{self.folder}/rejects")]:
            made_by = _rules_of_part(pq.read_schema(part, filesystem=files))
            if made_by >= RULES:
                continue
            ids = pq.read_table(part, columns=["id"], filesystem=files)["id"].to_pylist()
            stays = [rules.get(point, 1) <= made_by for point in ids]
            if all(stays):
                continue
            count += stays.count(False)
            if not any(stays):
                files.delete_file(part)
                continue
            location = self.folder + part.removeprefix(root)
            _replace(location, pq.read_table(part, filesystem=files).filter(pa.array(stays)))
        return count

    def sample(self, size: int, among: set[str]) -> np.ndarray:
        """(≤ size, D) float32: the rows of `among` with the smallest ids. Ids are hashes: a fair sample."""
        chosen = sorted(among & self.ids())[:size]
        return self.gather(chosen)[0].astype(np.float32)


def _write(folder: str, name: str, rows: pa.Table) -> int:
    return _replace(f"{folder}/{name}.parquet", rows.replace_schema_metadata({_RULES: str(RULES)}))


def _rules_of_part(schema: pa.Schema) -> int:
    """The rules of decoding under which a part was made; the first ones left no note."""
    return int((schema.metadata or {}).get(_RULES.encode(), 1))


def _replace(location: str, rows: pa.Table) -> int:
    """Write a part in one step. Returns its bytes."""
    buffer = pa.BufferOutputStream()
    # ids, vectors and pictures hardly repeat: a dictionary of them takes a quarter of the writer's time
    pq.write_table(rows, buffer, compression="zstd", use_dictionary=False)
    data = buffer.getvalue()
    write_file(location, data)
    return len(data)


def _parts(folder: str) -> list[str]:
    files, path = filesystem(folder)
    found = files.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(f.path for f in found if f.path.endswith(".parquet") and not f.base_name.startswith("."))


def _read(
    folder: str, columns: list[str], where: pads.Expression | None = None, schema: pa.Schema | None = None
) -> pa.Table:
    """`columns` of all parts; with a `schema`, columns that a part does not have are null."""
    parts = _parts(folder)
    if not parts:
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    files, _ = filesystem(folder)
    found = pads.dataset(parts, schema=schema, filesystem=files, format="parquet")
    return found.to_table(columns=columns, filter=where)


def vectors_of(table: pa.Table) -> np.ndarray:
    """The `vector` column as (N, D) float16."""
    column = table["vector"].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    vectors = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(vectors).reshape(len(column), column.type.list_size)
