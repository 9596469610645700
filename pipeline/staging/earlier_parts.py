"""Parts as Simile 0.1.0 staged them: in the folder of an encoder, a few hundred rows each, found by id.

<home>/staging/<collection>/<encoder fingerprint>/<32 hexadecimal digits>.parquet
id: string · vector: float16[D] · thumbnail: binary · thumbnail_type: string · width, height: int32

<home>/staging/<collection>/<encoder fingerprint>/rejects/<32 hexadecimal digits>.parquet
id, stage, reason, first_bytes, kind: string
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.home import filesystem
from pipeline.staging.rejects import Reject, reject_of

__all__ = ["earlier_parts", "earlier_rejects", "read_earlier", "rules_of_part"]

_RULES = b"simile.rules"
_REJECTS = pa.schema([(name, pa.string()) for name in ("id", "stage", "reason", "first_bytes", "kind")])


def earlier_parts(folder: str) -> list[str]:
    """Paths, on the file system of the staging, of the older parts in the folder of an encoder."""
    files, path = filesystem(folder)
    found = files.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    parts = [f.path for f in found if f.path.endswith(".parquet") and not f.base_name.startswith(".")]
    return sorted(path for path in parts if "-" not in path.rpartition("/")[2])


def read_earlier(folder: str, part: str, columns: list[str] | None = None) -> pa.Table:
    """An older part."""
    return pq.read_table(part, columns=columns, filesystem=filesystem(folder)[0], use_threads=False)


def rules_of_part(folder: str, part: str) -> int:
    """The rules of decoding under which it was made; the first ones left no note."""
    schema = pq.read_schema(part, filesystem=filesystem(folder)[0])
    return int((schema.metadata or {}).get(_RULES, 1))


def earlier_rejects(folder: str) -> dict[str, tuple[Reject, int]]:
    """Id -> a picture that this encoder could not take, and the rules of decoding of then."""
    found: dict[str, tuple[Reject, int]] = {}
    files, _ = filesystem(folder)
    for part in earlier_parts(f"{folder}/rejects"):
        rules = rules_of_part(folder, part)
        # Files from before `kind` (2026) lack that column.
        rows = pads.dataset([part], schema=_REJECTS, filesystem=files, format="parquet").to_table()
        found.update({row["id"]: (reject_of(row), rules) for row in rows.to_pylist()})
    return found
