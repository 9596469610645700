"""The real thing: Ray Data, Ray Train and two workers on a few hundred bundled photographs."""

import io
import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
import yaml

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.errors import SimileError
from pipeline.images import decode
from pipeline.training.config import TrainingConfig, load_training_config
from ray_jobs.train import main

pytestmark = pytest.mark.timeout(2400)  # Ray starts slowly on a busy machine
ROOT = Path(__file__).resolve().parent.parent.parent
TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {
        "source": str(ROOT / "samples" / "cifar10"),
        "image": "img",
        "labels": ["label"],
        "pixels": 32,
        "limit": 1200,
        "validation": 0.25,
    },
    "network": {"backbone": "whitened-cnn", "options": {"widths": [16, 32, 32]}, "code_bits": 16},
    "losses": [{"kind": "classes"}, {"kind": "orthohash", "weight": 0.5}],
    "optimizer": {"kind": "adamw", "rate": 0.02},
    "epochs": 8,
    "validate_every": 4,
    "batch": 60,
    "workers": 2,
}


@pytest.fixture(scope="module")
def run(ray_here: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run killed after its first checkpoint and started again: result, curves, folder, epochs repeated."""
    home = tmp_path_factory.mktemp("training")
    (home / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    arguments = [str(home / "tiny.yaml"), "--home", str(home)]
    first = subprocess.Popen(
        [sys.executable, "-m", "ray_jobs.train", *arguments],
        cwd=ROOT,
        env=os.environ | {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "2"},  # time to kill it
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 900
    while not list(home.glob("training/tiny/checkpoint_manager_snapshot.json")):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    workers = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    psutil.wait_procs(workers, timeout=120)  # they notice that their driver is gone
    printed, log = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(log):
        patch.setattr("ray_jobs.train.ray_session", nullcontext)
        main(arguments)
    result = json.loads(printed.getvalue().strip().splitlines()[-1])
    curves = json.loads(Path(result["curves"]).read_text(encoding="utf-8"))
    return {"result": result, "curves": curves, "home": home, "log": log.getvalue()}


@pytest.mark.long
def test_a_killed_run_goes_on_after_its_last_checkpoint(run: dict[str, Any]) -> None:
    assert [record["epoch"] for record in run["curves"]] == list(range(1, 9))
    assert "epoch 8/8: loss" in run["log"]
    assert "epoch 1/8" not in run["log"]


@pytest.mark.long
def test_it_learns(run: dict[str, Any]) -> None:
    first, last = run["curves"][0], run["curves"][-1]
    assert last["loss"] < 0.7 * first["loss"]
    assert last["accuracy_label"] > 0.3  # chance is 0.1
    assert last["p1_cosine"] > 0.25


@pytest.mark.long
def test_the_last_line_says_what_came_out(run: dict[str, Any]) -> None:
    result = run["result"]
    weights = Path(result["weights"])
    assert (result["name"], result["epochs"], result["workers"]) == ("tiny", 8, 2)
    assert result["bytes"] == (weights / "model.safetensors").stat().st_size
    assert result["map_hamming"] == run["curves"][-1]["map_hamming"]
    card = (weights / "README.md").read_text(encoding="utf-8")
    assert "8 of 8 epochs" in card
    assert "python -m ray_jobs.train" in card
    assert "Data: `cifar10`" in card
    assert str(ROOT) not in card
    assert str(run["home"]) not in card


@pytest.mark.long
def test_weights_come_back_by_value(run: dict[str, Any]) -> None:
    """The encoder's raw output is that of the trained network on the same pixels, up to float16."""
    from pipeline.networks import RawOutput, build_network
    from pipeline.sources import resolve_source
    from pipeline.training.export import restore_network

    weights = Path(run["result"]["weights"])
    network = build_network(json.loads((weights / "config.json").read_text())["network"]).eval()
    states = sorted(run["home"].glob("training/tiny/checkpoint_2*/state.pt"))
    restore_network(network, states[-1])
    import pyarrow.parquet as pq

    rows = pq.read_table(resolve_source(TINY["data"]["source"]).files[0]).slice(0, 8)
    images = [decode(row["bytes"]) for row in rows["img"].to_pylist()]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        expected = RawOutput(network)((pixels - mean) / std).numpy()

    encoder = load_encoder(str(weights))
    raw = encoder.encode_tensor(np.stack([encoder.preprocess(image) for image in images]))
    assert raw.shape == (8, 32 + 16)
    np.testing.assert_allclose(raw, expected, rtol=0.02, atol=0.02)
    assert encoder.description.code_bits == 16
    assert encoder.dimension == 32
    np.testing.assert_allclose(encoder.encode(images), raw[:, :32], rtol=1e-4, atol=1e-4)
    assert describe_encoder(str(weights)).fingerprint == encoder.fingerprint


@pytest.mark.long
def test_other_settings_do_not_continue_a_run(run: dict[str, Any]) -> None:
    from pipeline.training.run import TrainingJob, train

    changed = TrainingConfig.model_validate(TINY | {"batch": 50})
    with pytest.raises(SimileError, match="a run with other settings; start again with --fresh"):
        train(TrainingJob(changed, run["home"] / "training", run["home"] / "elsewhere"))


def test_every_configuration_that_ships_can_be_read() -> None:
    names = {load_training_config(path).name for path in (ROOT / "training_config").glob("*.yaml")}
    assert {"cifar10-cnn", "cifar10-vit", "cifar10-dsh", "art-cnn", "art-vit"} <= names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "unknown key 'epoch'; known keys: name, data,"),
        ({"losses": [{"kind": "teacher"}]}, "loss 'teacher' needs `teacher:`"),
        ({"network": {"backbone": "whitened-cnn"}}, "loss 'orthohash' needs network.code_bits"),
        (
            {"network": {"backbone": "whitened-cnn", "code_bits": 8, "start_heads": True}},
            "network.start_heads needs `start:`",
        ),
        ({"losses": [{"kind": "classes", "column": "style"}]}, "column 'style', which is not among"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(TINY | change), encoding="utf-8")
    with pytest.raises(SimileError, match=message):
        load_training_config(tmp_path / "wrong.yaml")
