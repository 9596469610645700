"""What may be trained on under a protocol is what its evaluation calls its training images."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Pictures

from pipeline.errors import SimileError
from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.pool import Pool, read_pool, resolve_splits
from pipeline.evaluation.protocols import protocols_of
from pipeline.training.config import DataConfig
from pipeline.training.data import allowed_of, read_training_data
from tests.encoders.small_networks import save_transformers

SIDE = 32
EACH = 610  # images of a class: protocols A and B want more than 600


def test_protocol_a_trains_on_its_training_images_and_never_on_a_query() -> None:
    classes = [f"class {label}" for label in np.random.default_rng(0).permutation(np.repeat(range(10), 610))]
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(len(classes))]
    pool = Pool({"label": encode_labels(classes)}, digests, train=5000)
    protocols = {each.key: each for each in protocols_of(pool, ["a", "b"])}
    allowed = allowed_of("a", classes, digests)
    assert allowed == allowed_of("b", classes, digests)
    for protocol in protocols.values():
        assert allowed == {digests[i] for i in protocol.training}
        assert not allowed & {digests[i] for i in protocol.queries}
    twice = list(digests)
    twice[protocols["a"].training[0]] = digests[protocols["a"].queries[0]]  # the same bytes asked and taught
    assert len(allowed_of("a", classes, twice)) == len(allowed) - 1


def test_too_few_images_are_refused() -> None:
    with pytest.raises(SimileError, match="ten classes of more than 600"):
        allowed_of("a", ["cat", "dog"], ["0", "1"])


def numbered(number: int) -> bytes:
    """A PNG of noise whose first pixel says its number."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels[0, 0] = (number // 256, number % 256, 0)
    file = io.BytesIO()
    Pictures.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """Ten classes in 5,000 training and 1,100 test images, and their bytes in order."""
    folder = tmp_path_factory.mktemp("mirror")
    files = [numbered(i) for i in range(10 * EACH)]
    labels = np.random.default_rng(0).permutation(np.repeat(range(10), EACH))
    features = Features({"img": Image(), "label": ClassLabel(names=[f"class {i}" for i in range(10)])})
    (folder / "data").mkdir()
    for split, part in (("train", slice(5000)), ("test", slice(5000, None))):
        rows = {"img": [{"bytes": file, "path": None} for file in files[part]], "label": labels[part]}
        Dataset.from_dict(rows, features=features).to_parquet(
            folder / "data" / f"{split}-00000-of-00001.parquet"
        )
    return folder, files


@pytest.mark.long
def test_what_is_read_for_training_is_what_the_evaluation_allows(
    ray_here: None, mirror: tuple[Path, list[bytes]], tmp_path: Path
) -> None:
    source, files = mirror
    asked: dict[str, DataConfig] = {
        "all": DataConfig(source=str(source), labels=["label"], pixels=SIDE, protocol="a"),
        "few": DataConfig(source=str(source), labels=["label"], pixels=SIDE, protocol="b", limit=1000),
    }
    read: dict[str, set[int]] = {}
    save_transformers("vit", tmp_path / "quick")  # any encoder: nothing is asked of its vectors
    encoders = [f"{tmp_path / 'quick'}@{SIDE}px"]
    pool = read_pool("mirror", resolve_splits(str(source)), encoders, ["label"], str(tmp_path))
    for name, config in asked.items():
        data = read_training_data(config)
        rows = [row["pixels"] for part in (data.training, data.validation) for row in part.take_all()]
        read[name] = {256 * pixels[0] + pixels[1] for pixels in rows}
        assert len(read[name]) == len(rows)
    assert pool.size == len(files) and pool.missing == 0
    for protocol in protocols_of(pool, ["a", "b"]):
        assert protocol.counts["training"] == 5000 and protocol.counts["queries"] == 1000
        own = {pool.digests[i] for i in protocol.training}
        queries = {pool.digests[i] for i in protocol.queries}
        of = {name: {hashlib.sha256(files[i]).hexdigest() for i in found} for name, found in read.items()}
        assert of["all"] == own and not of["all"] & queries
        assert 0 < len(of["few"]) < 2000 and of["few"] < own
