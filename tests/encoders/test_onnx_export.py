"""ONNX Runtime gives the vectors of torch, and is used where an export said that it is faster."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.encoders import load_encoder, onnx_export
from pipeline.errors import SimileError
from tests.encoders.small_networks import save_timm, save_transformers


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SIMILE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "onnx"


def record(cache: Path) -> dict:
    (file,) = cache.glob("*.json")
    return json.loads(file.read_text())


@pytest.mark.parametrize(
    "kind", [pytest.param("timm:tf_efficientnet_lite0", marks=pytest.mark.long), "hf:siglip"]
)
def test_the_vectors_are_those_of_torch(
    kind: str, tmp_path: Path, cache: Path, pictures: list[Image.Image]
) -> None:
    library, _, name = kind.partition(":")
    (save_timm if library == "timm" else save_transformers)(name, tmp_path / "model")
    torch_encoder = load_encoder(str(tmp_path / "model"), runtime="torch")
    onnx_encoder = load_encoder(str(tmp_path / "model"), runtime="onnxruntime")
    assert (torch_encoder.runtime, onnx_encoder.runtime) == ("torch", "onnxruntime")
    assert onnx_encoder.fingerprint == torch_encoder.fingerprint
    many = pictures * 5  # more than one part of a batch
    expected, found = torch_encoder.encode(many), onnx_encoder.encode(many)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= onnx_export.TOLERANCE * np.abs(expected).max()
    np.testing.assert_array_equal(found, onnx_encoder.encode(many))
    assert record(cache)["difference"] <= onnx_export.TOLERANCE
    assert not list(cache.glob("*.draft"))


def test_the_faster_one_is_used_from_the_next_load_on(tmp_path: Path, cache: Path) -> None:
    save_timm("resnet18", tmp_path / "model")
    encoder = load_encoder(str(tmp_path / "model"))
    encoder.accelerate(10)
    assert not cache.exists()  # a moment of work
    encoder.accelerate(10**9)
    assert encoder.runtime == record(cache)["fastest"]
    (file,) = cache.glob("*.json")
    for fastest in ("torch", "onnxruntime"):
        file.write_text(json.dumps(record(cache) | {"fastest": fastest}))
        assert load_encoder(str(tmp_path / "model")).runtime == fastest
    file.write_text("{")  # a full disk
    assert load_encoder(str(tmp_path / "model")).runtime == "torch"


class DependsOnValues(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) * (2 if images.sum() > 0 else 1)


def test_what_cannot_be_exported_stays_with_torch_and_says_why(cache: Path) -> None:
    example = torch.ones(2, 3, 8, 8)
    assert onnx_export.export("0" * 16, DependsOnValues().eval(), example) is None
    assert record(cache)["fastest"] == "torch"
    assert "data-dependent" in record(cache)["reason"]
    with pytest.raises(SimileError, match="leave out runtime='onnxruntime'"):
        onnx_export.export("0" * 16, DependsOnValues().eval(), example, even_if_slower=True)


def test_a_cache_that_cannot_be_written_leaves_torch_at_work(tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    save_timm("resnet18", tmp_path / "model")
    encoder = load_encoder(str(tmp_path / "model"))
    encoder.accelerate(10**9)
    assert encoder.runtime == "torch"
