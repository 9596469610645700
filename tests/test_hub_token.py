"""The owner's token of the Hub: whoever loads a model has it, and nobody else in the page's process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import demo
from pipeline.errors import SimileError
from tests.stand_ins.hub import HubStandIn

ROOT = Path(__file__).parents[1]
TOKEN = "hf_the_owners_own"

SCRIPT = """
import json, logging, os, subprocess, sys
from pipeline import hub
from pipeline.errors import SimileError
from pipeline.printable import protect_logs

protect_logs(logging.INFO)
{take}
said = {{"here": [value for value in os.environ.values() if "hf_the_owners" in value]}}
child = "import os, huggingface_hub; print(huggingface_hub.get_token(), [*os.environ.values()])"
said["child"] = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout
from huggingface_hub import get_token
said["found"] = get_token()
try:
    {ask}
except SimileError as error:
    said["refused"] = str(error)
logging.getLogger("simile").warning("it is %s", hub.token())
print(json.dumps(said))
"""
FETCH = (
    'with hub.explained("hf:me/gated", "me/gated", "model"): '
    'said["read"] = hub.fetch("me/gated", "config.json", None).read_text()'
)
LOAD = (
    "from pipeline.encoders import load_encoder; "
    'said["read"] = str(load_encoder("hf:me/gated").description.dimension)'
)


def ask(hub: HubStandIn, home: Path, code: str, take: str = "hub.take_token()", **token: str) -> tuple:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    env |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), **token}
    script = SCRIPT.format(take=take, ask=code)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture
def gated(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "vit"}')
    with HubStandIn({}, gated={"me/gated": (TOKEN, tmp_path / "model")}) as hub:
        yield hub


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_gated_model_is_read_and_the_token_is_nowhere_else(where, gated, tmp_path):
    token = {}
    if where == "file":
        (tmp_path / "home").mkdir()
        (tmp_path / "home/token").write_text(TOKEN)
    else:
        token = {"HF_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN}
    said, log = ask(gated, tmp_path / "home", FETCH, **token)
    assert said["read"] == '{"model_type": "vit"}'
    assert said["here"] == [] and said["found"] is None
    assert said["child"].startswith("None [") and TOKEN not in said["child"]
    assert "it is ***" in log and TOKEN not in log


def test_without_the_token_it_is_refused_and_a_job_keeps_its_own(gated, tmp_path):
    said, _ = ask(gated, tmp_path / "home", FETCH)
    assert "is gated; accept its terms on its page and set HF_TOKEN" in said["refused"]
    said, _ = ask(gated, tmp_path / "home", FETCH, take="", HF_TOKEN=TOKEN)
    assert said["read"] and said["child"].startswith(TOKEN)


@pytest.mark.long
def test_an_encoder_of_a_gated_model_is_loaded(tmp_path):
    from tests.encoders.small_networks import save_transformers

    save_transformers("dinov2", tmp_path / "model")
    with HubStandIn({}, gated={"me/gated": (TOKEN, tmp_path / "model")}) as hub:
        said, log = ask(hub, tmp_path / "home", LOAD, HF_TOKEN=TOKEN)
    assert said["read"] == "32" and said["here"] == [] and TOKEN not in log


def test_the_page_takes_it_before_it_starts_anything(monkeypatch):
    order = []

    def stop(*_):
        order.append("samples")
        raise SimileError("here it ends")

    monkeypatch.setattr(demo, "take_token", lambda: order.append("token"))
    monkeypatch.setattr(demo, "ensure_collections", stop)
    assert demo.main([]) == 1
    assert order == ["token", "samples"]
