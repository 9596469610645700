"""A small collection, indexed once; tests change copies of it, in one Ray."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import open_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.indexing.account import Account
from pipeline.indexing.job import index_collection
from pipeline.indexing.preflight import IndexJob, preflight
from tests.conftest import share_ray

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}
ENCODER = "weights:cifar10-cnn"
Index = Callable[..., Account]
Copied = tuple[Path, Path]  # home and source


def picture(colour: tuple[int, int, int], seed: int) -> Image.Image:
    """48 × 40 pixels of noise around a colour."""
    noise = np.random.default_rng(seed).normal(scale=20, size=(40, 48, 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


def write_pictures(root: Path, each: int = 8) -> Path:
    """`each` pictures of each colour, in folders that name it."""
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(each):
            picture(colour, i).save(root / name / f"{i}.png")
    return root


def colours(home: Path) -> dict[str, int]:
    """How many pictures of each label the collection holds."""
    return dict(open_collection("colours", home=str(home)).facets("label"))


@pytest.fixture(scope="session")
def index() -> Index:
    """Run a job in this process: index(home, source, url=…, sync=…, and any key of the configuration)."""

    def run(home: Path, source: Path, *, url: str | None = None, **changes: Any) -> Account:
        flags = {"sync", "add", "refit", "retry_rejects", "limit", "actors", "other_source", "replace"} | {
            "allow_private"
        }
        options = {name: changes.pop(name) for name in list(changes) if name in flags}
        settings: dict[str, Any] = {
            "collection": "colours",
            "source": str(source),
            "encoders": [EncoderConfig(name=ENCODER, vector="cnn")],
            "projection": {"dimension": 16},
        } | changes
        share_ray()
        job = IndexJob(CollectionConfig.model_validate(settings), str(home), url, **options)
        return index_collection(job, preflight(job))

    return run


@pytest.fixture(scope="session")
def indexed(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Copied:
    """Home and source after the first job; not to be changed."""
    source = write_pictures(tmp_path_factory.mktemp("indexed") / "pictures")
    home = tmp_path_factory.mktemp("indexed-home")
    account = index(home, source)
    assert (account.source, account.written, account.embedded) == (24, 24, 24)
    return home, source


@pytest.fixture
def copied(indexed: Copied, tmp_path: Path) -> Iterator[Copied]:
    """A copy of the home, and the source, which is put right again after the test."""
    home, source = indexed
    shutil.copytree(home, tmp_path / "home")
    shutil.copytree(source, tmp_path / "before")
    yield tmp_path / "home", source
    shutil.rmtree(source)
    shutil.copytree(tmp_path / "before", source)
