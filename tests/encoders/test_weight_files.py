"""Folders that try to be more than weights: pickles by another name, adapters, code, and damaged files."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.errors import SimileError
from tests.encoders.small_networks import save_timm, save_transformers

INDEX = "model.safetensors.index.json"


class Opened(BaseException):
    """Raised by unpickling; no library catches it."""


def fail():
    raise Opened("a pickle was opened")


class Trap:
    def __reduce__(self):
        return fail, ()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("transformers", "timm")}
    save_transformers("dinov2", folders["transformers"])
    save_timm("resnet18", folders["timm"])
    return folders


@pytest.fixture(params=["transformers", "timm"])
def folder(request, saved, tmp_path) -> Path:
    """A copy with a pickle under each usual name beside the weights."""
    copy = tmp_path / "copy"
    shutil.copytree(saved[request.param], copy)
    for name in ("pytorch_model.bin", "adapter_model.bin", "evil.bin"):
        torch.save(Trap(), copy / name)
    return copy


def configured(folder: Path, **changes) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refused(folder: Path, says: str) -> None:
    for open_it in (describe_encoder, load_encoder):
        with pytest.raises(SimileError, match=says) as raised:
            open_it(str(folder))
        assert "\n" not in str(raised.value)


def test_pickles_beside_safetensors_are_not_opened(folder):
    assert load_encoder(str(folder)).description.dimension


@pytest.mark.parametrize(
    "named",
    ["evil.bin", "../copy/evil.bin", "../other.safetensors", "/etc/x.safetensors", "a/b.safetensors", 7],
)
def test_an_index_names_safetensors_beside_it_and_nothing_else(named, saved, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(saved["transformers"], folder)
    torch.save(Trap(), folder / "evil.bin")
    (folder / "model.safetensors").rename(tmp_path / "other.safetensors")
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"x": named}}))
    refused(folder, "only safetensors files beside it are read")


def test_an_index_beside_the_one_file_is_not_read(folder):
    before = describe_encoder(str(folder)).fingerprint
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": "evil.bin"}}))
    assert load_encoder(str(folder)).fingerprint == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"weight_map": 3}', "[" * 100_000], ids=len)
def test_an_index_that_is_none(text, saved, tmp_path):
    shutil.copytree(saved["transformers"], tmp_path / "copy")
    (tmp_path / "copy/model.safetensors").unlink()
    (tmp_path / "copy" / INDEX).write_text(text)
    refused(tmp_path / "copy", "cannot be read")


def test_adapters_are_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    refused(folder, "holds an adapter")


def test_transformers_is_not_sent_to_another_file(saved, tmp_path):
    shutil.copytree(saved["transformers"], tmp_path / "copy")
    torch.save(Trap(), tmp_path / "copy/adapter_model.bin")
    configured(tmp_path / "copy", transformers_weights="adapter_model.bin")
    refused(tmp_path / "copy", "'transformers_weights', which changes how weights are read")


def test_timm_is_not_told_to_leave_weights_at_random(saved, tmp_path):
    shutil.copytree(saved["timm"], tmp_path / "copy")
    configured(tmp_path / "copy", model_args={"pretrained_strict": False})
    refused(tmp_path / "copy", "'pretrained_strict', which changes how weights are read")


def test_code_beside_a_known_model_is_not_run(saved, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(saved["transformers"], folder)
    (folder / "mine.py").write_text("raise SystemExit('this was run')")
    configured(folder, auto_map={"AutoConfig": "mine.Config", "AutoModel": "mine.Model"})
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    processor["auto_map"] = {"AutoImageProcessor": "mine.Processor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    assert load_encoder(str(folder)).description.dimension == 32


def lying(data: bytes) -> bytes:
    """Says of a tensor that it is a thousand times as long as it is."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensor = next(value for name, value in header.items() if name != "__metadata__")
    tensor["shape"] = [1000, *tensor["shape"]]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:-5],
        lambda data: b"\xff" * 8 + data[8:],
        lying,
    ],
    ids=["empty", "header cut", "tensors cut", "length", "shape"],
)
def test_damaged_weights(damage, folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    refused(folder, "is not a whole safetensors file")


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_json_that_is_nested_without_end(file, saved, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(saved["transformers"], folder)
    (folder / file).write_text('{"model_type":' + "[" * 200_000)
    refused(folder, "is not JSON: it is nested too deeply|cannot be read")
