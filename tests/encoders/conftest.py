"""Networks and pictures that these tests share."""

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)  # the networks are tiny


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Five pictures of odd sizes, one of them grey."""
    chance = np.random.default_rng(7)
    sizes = [(90, 60), (64, 64), (33, 57), (200, 40), (48, 80)]
    made = [Image.fromarray(chance.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(s, 3) for s in sizes]
    return [*made[:4], made[4].convert("L")]


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The Hub as HF_HUB_OFFLINE=1 shows it, with an empty cache in the returned folder."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"
