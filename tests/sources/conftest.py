"""Sources that these tests share, and how they are read."""

import io
import os
from pathlib import Path

import datasets
import pytest
from PIL import Image

from pipeline.errors import SimileError
from pipeline.sources import (
    Source,
    decode_payload,
    image_bytes,
    read_rows,
    read_unit,
    resolve_source,
    units_of,
    unread_rows,
)

LABELS = ["cat", "dog", "eel"]


def png(shade: int) -> bytes:
    """A 4×4 grey PNG; another shade, other bytes."""
    out = io.BytesIO()
    Image.new("L", (4, 4), shade).save(out, "PNG")
    return out.getvalue()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_mirror(root: Path, rows_per_file: list[int], split: str = "train", **columns: list) -> Path:
    """A dataset in the Hub's layout: row n is shade n, labelled n mod 3."""
    total, start = sum(rows_per_file), 0
    features = {"img": datasets.Image(), "label": datasets.ClassLabel(names=LABELS)}
    for number, count in enumerate(rows_per_file):
        span = range(start, start + count)
        table = {"img": [{"bytes": png(n), "path": None} for n in span], "label": [n % 3 for n in span]}
        extra = {name: values[start : start + count] for name, values in columns.items()}
        kinds = {name: datasets.Value("int64" if name == "n" else "string") for name in columns}
        path = root / f"data/{split}-{number:05d}-of-{len(rows_per_file):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(table | extra, features=datasets.Features(features | kinds)).to_parquet(
            path
        )
        start += count
    assert start == total
    return root


def read_all(source: Source, **options) -> list[dict]:
    """Rows in file order; `bytes` is the image, `payload` what `decode_payload` makes of the rest."""
    rows = read_rows(source, **options)
    rows.context.execution_options.preserve_order = True
    out = []
    for table in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
        meta = table.select(["file", "row"]).to_pylist()
        decoded = zip(meta, image_bytes(table), decode_payload(source, table), strict=True)
        out += [{**row, "bytes": image, "payload": payload} for row, image, payload in decoded]
    return out


def payloads(source: Source) -> dict[str, list[dict]]:
    """Path -> what is said of it, for each row of a folder; read without Ray."""
    table = source.table.rename_columns(
        [name if name == source.image_column else source.row_name(name) for name in source.table.column_names]
    )
    found: dict[str, list[dict]] = {}
    for path, payload in zip(
        source.reader.names(table[source.image_column].combine_chunks()),
        decode_payload(source, table),
        strict=True,
    ):
        found.setdefault(path, []).append(payload)
    return found


def refusal(source: str | Path, **options) -> str:
    with pytest.raises(SimileError) as caught:
        resolve_source(str(source), **options)
    return str(caught.value)


def rows_of(source: Source) -> list[dict]:
    """The rows of a source in their order, read without Ray."""
    out = []
    for unit in units_of(source):
        for rows in read_unit(source.without_rows(), unit):
            given = (
                rows["file"].to_pylist(),
                image_bytes(rows),
                decode_payload(source, rows),
                unread_rows(rows),
            )
            out += [
                {"file": file, "bytes": data, "payload": payload, "unread": why}
                for file, data, payload, why in zip(*given, strict=True)
            ]
    return out


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders named `closed` cannot be listed; no permission would stop tests that run as root."""
    scan = os.scandir

    def refuse(folder: str):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
