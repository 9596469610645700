"""A data set made longer for a benchmark: other bytes, the same pictures, nothing skipped as a repeat."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks.embed import repeated


def encoded(seed: int, kind: str) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def mirror(folder: Path, kind: str) -> Path:
    (folder / "data").mkdir(parents=True)
    images = [{"bytes": encoded(seed, kind), "path": None} for seed in range(3)]
    pq.write_table(pa.table({"image": images, "label": [0, 1, 2]}), folder / "data" / "train-0-of-1.parquet")
    return folder


def test_every_copy_has_other_bytes_and_the_same_pixels(tmp_path: Path) -> None:
    made = repeated(mirror(tmp_path / "things", "JPEG"), 4, tmp_path)
    files = sorted((made / "data").glob("train-*.parquet"))
    images = [image["bytes"] for file in files for image in pq.read_table(file)["image"].to_pylist()]
    assert len(files) == 4 and len(set(images)) == 12
    pixels = {np.asarray(Image.open(io.BytesIO(data))).tobytes() for data in images}
    assert len(pixels) == 3


def test_once_is_the_data_set_itself(tmp_path: Path) -> None:
    source = mirror(tmp_path / "things", "PNG")
    assert repeated(source, 1, tmp_path) == source


def test_pictures_without_a_density_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="without a JFIF header"):
        repeated(mirror(tmp_path / "things", "PNG"), 2, tmp_path)
