"""What a card says of a network's kind, and of validation images that its ancestors were trained on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.evaluation.art_split import validation_part
from pipeline.training.card import licence_to_show, of_before, write_card
from pipeline.training.config import TrainingConfig, load_training_config
from pipeline.training.history import EpochRecord
from pipeline.training.provenance import Provenance, check_protocol, kept_apart, overlap, provenance_of

ROOT = Path(__file__).resolve().parent.parent.parent
HISTORY = [EpochRecord(1, 1.0, {}, 60.0, 100.0, {"p1_cosine": 0.5})]
CONFIGS = sorted((ROOT / "training_config").glob("*.yaml"))


def config(validation: float, **changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "name": "child",
            "data": {"source": "a/b", "labels": ["label"], "pixels": 32, "validation": validation},
            "network": {"backbone": "whitened-cnn"} | changes,
            "losses": [{"kind": "classes"}],
            "optimizer": {"rate": 1.0},
            "epochs": 1,
            "batch": 10,
        }
    )


def parent(folder: Path, validation: float) -> str:
    """A folder with the config.json of a network that kept this share apart."""
    folder.mkdir()
    noted = {"model_type": "simile", "provenance": Provenance.of(config(validation), "a/b").as_json()}
    (folder / "config.json").write_text(json.dumps(noted), encoding="utf-8")
    return str(folder)


def test_a_larger_share_than_its_start_kept_is_said_to_flatter(tmp_path: Path) -> None:
    start = parent(tmp_path / "parent", 0.02)
    assert kept_apart(start, "a/b") == 0.02
    caution = overlap(config(0.05, start=start), "a/b")
    assert "flattered" in caution and "kept 2% of the training images apart" in caution
    assert "trained on 60% of the images" in caution  # 3 of 5
    assert overlap(config(0.02, start=start), "a/b") == ""
    assert overlap(config(0.05, start=start), "other/data") == ""  # its images are not ours
    assert overlap(config(0.05), "a/b") == ""
    card = write_card(config(0.05), HISTORY, "x", caution=caution)
    assert card.index("0.5000 |") < card.index("flattered") < card.index("## Retrieval")


def test_figures_of_earlier_weights_are_said_to_be_of_them() -> None:
    fresh = write_card(config(0.05), HISTORY, "x")
    assert of_before(fresh) == ""  # nothing was measured
    measured = fresh.replace("Not measured yet", "| P@1 | 0.9 |\n\nNotes")
    once = write_card(config(0.05), HISTORY, "x", kept=of_before(measured))
    assert once.count("of the weights before this training") == 1 and "| P@1 | 0.9 |" in once
    assert write_card(config(0.05), HISTORY, "x", kept=of_before(once)) == once


def test_a_protocol_whose_queries_a_start_or_teacher_saw_is_refused() -> None:
    path = ROOT / "training_config"
    for name in ("cifar10-dsh", "cifar10-vit"):  # both build on weights:cifar10-cnn, which saw everything
        data = {"protocol": "a"}
        spoilt = load_training_config(path / f"{name}.yaml", data=data)
        with pytest.raises(SimileError, match="it has seen its queries"):
            check_protocol(spoilt, spoilt.data.source)
        check_protocol(spoilt, "other/data")
    for name in ("cifar10-cnn", "cifar10-cnn-deep", "cifar10-dsh-network"):
        fresh = load_training_config(path / f"{name}.yaml", data={"protocol": "a"})
        check_protocol(fresh, fresh.data.source)
    for shipped in map(load_training_config, CONFIGS):  # art-vit builds on art-cnn under one protocol
        check_protocol(shipped, shipped.data.source)


@pytest.mark.parametrize("name", ["art-cnn", "art-vit", "cifar10-cnn", "cifar10-cnn-deep", "cifar10-vit"])
def test_the_card_of_a_network_that_ships_says_what_its_configuration_file_says(name: str) -> None:
    known = provenance_of(f"weights:{name}")
    assert known is not None
    card = (ROOT / "weights" / name / "README.md").read_text(encoding="utf-8")
    assert f"- Data: `{known.source}`, split `{known.split}`, images" in card
    assert ("without the queries and artists of the art split" in card) == (known.protocol == "art")
    assert f"## Validation ({known.validation:.0%} of the training images" in card
    assert (f"begun from `{known.start}`" in card) == (known.start is not None)
    assert (f"teacher of `{known.teacher}`" in card) == (known.teacher is not None)


def test_a_network_of_unknown_training_images_is_refused_under_a_protocol(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "simile"}', encoding="utf-8")
    spoilt = config(0.05, start=str(tmp_path))
    protected = spoilt.model_copy(update={"data": spoilt.data.model_copy(update={"protocol": "a"})})
    with pytest.raises(SimileError, match="does not say what it was trained on"):
        check_protocol(protected, "a/b")


def test_unknown_says_less_than_whom_to_cite() -> None:
    assert licence_to_show("mit", "unknown (cite the authors)") == "mit"
    assert licence_to_show("unknown", "unknown (cite the authors)") == "unknown (cite the authors)"
    assert licence_to_show(None, None) is None and licence_to_show("unknown", None) == "unknown"


def test_equal_shares_are_equal_images_and_smaller_ones_lie_within() -> None:
    digests = [f"{i:064x}" for i in range(5000)]
    small, large = (validation_part(np.arange(5000), digests, share) for share in (0.02, 0.05))
    assert 60 < small.sum() < 140 and not (small & ~large).any()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_configuration_that_ships_validates_on_what_its_ancestors_saw(path: Path) -> None:
    shipped = load_training_config(path)
    assert overlap(shipped, shipped.data.source) == ""


@pytest.mark.parametrize("name", ["cifar10-vit", "art-vit"])
def test_hybrids_are_called_hybrids(name: str) -> None:
    shipped = load_training_config(ROOT / "training_config" / f"{name}.yaml")
    for card in (
        write_card(shipped, HISTORY, "x"),
        (ROOT / "weights" / name / "README.md").read_text(encoding="utf-8"),
    ):
        assert "A hybrid of both kinds: the first stages of a CNN" in card
    assert "hybrid" not in write_card(config(0.05), HISTORY, "x")
