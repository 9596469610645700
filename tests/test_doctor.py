"""`python -m pipeline doctor`: what it finds, what it never shows, and that nothing stops it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.doctor import PACKAGES, _shown
from pipeline.home import store_folder
from pipeline.store import Manifest
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params
from pipeline.version import simile_version
from tests.stand_ins.qdrant import QdrantStandIn

SECRETS = ("geheim", "hf_abc", "s3cr3t", "X-Amz")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one empty collection."""
    store = EmbeddedStore(store_folder(str(tmp_path)))
    config = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
    store.create("things__1", config, vector_params(config, {"v": 4}, {}), {})
    store.finish("things__1")
    store.write_manifest("things__1", Manifest(collection="things"))
    store.switch("things", "things__1")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    main(["doctor", "--json", *arguments])
    return json.loads(capsys.readouterr().out)


def test_it_says_what_is_installed_and_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = told(capsys, "--home", str(home))
    assert report["simile"] == simile_version() and re.fullmatch(r"\d+\.\d+\.\d+", report["simile"])
    assert set(report["packages"]) == set(PACKAGES) and all(report["packages"].values())
    assert report["home"]["path"] == str(home) and report["home"]["writable"] is True
    assert report["home"]["free_gb"] > 0 and report["cache"]["path"] == os.environ["SIMILE_CACHE"]
    assert "weights:art-cnn" in report["encoders"]["at_hand"]
    things = report["store"]["collections"]["things"]
    assert report["store"]["kind"] == "embedded" and things["live"] == "things__1"
    assert list(things["megabytes"]) == ["things__1"]


def test_people_read_the_same_in_lines(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--home", str(home)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Simile {simile_version()}, Python 3.")
    assert "  writable: yes" in lines and "      live: things__1" in lines and "Environment" in lines


def test_a_server_is_named_with_its_version(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "s3cr3t")
    with QdrantStandIn() as server:
        store = told(capsys, "--url", server.url)["store"]
    assert (store["kind"], store["version"], store["key"]) == ("server", "1.19.0", "set")
    assert store["collections"] == {}


def test_no_secret_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://anna:gehe/im@geheim@127.0.0.1:9/?token=s3cr3t")
    monkeypatch.setenv("QDRANT_API_KEY", "s3cr3t")
    monkeypatch.setenv("SIMILE_AUTH", "anna:geheim")
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/?X-Amz-Signature=s3cr3t")
    monkeypatch.setenv("SIMILE_HOME", "s3://id:geheim@bucket/home")
    main(["doctor"])
    main(["doctor", "--json"])
    said = capsys.readouterr()
    assert not [secret for secret in SECRETS if secret in said.out + said.err]
    assert "HF_TOKEN: set, not shown" in said.out and "https://mirror.example/?***" in said.out
    assert "s3://***@bucket/home" in said.out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:6333", "http://127.0.0.1:6333"),
        ("anna:geheim@host:6333", "***@host:6333"),
        ("No server answers at http://a:b@h:1; start it.", "No server answers at http://***@h:1; start it."),
        ("/home/anna@work/simile", "/home/anna@work/simile"),
    ],
)
def test_addresses_lose_their_logins_only(text: str, shown: str) -> None:
    assert _shown(text) == shown


def test_what_fails_is_a_sentence_and_the_rest_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://127.0.0.1:9")
    report = told(capsys, "--home", "relative/home")
    assert "The home 'relative/home' is relative" in report["home"]["problem"]
    assert "No Qdrant server answers at http://127.0.0.1:9" in report["store"]["problem"]
    assert report["packages"]["ray"] and report["encoders"]["at_hand"]


def test_a_driver_that_does_not_answer_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    gpu = told(capsys, "--home", str(tmp_path))["gpu"]
    assert (gpu["found"], gpu["problem"]) == ([], "NVIDIA-SMI has failed")


def test_it_loads_neither_ray_nor_gradio(tmp_path: Path) -> None:
    code = (
        "import sys; from pipeline.__main__ import main; "
        f"main(['doctor', '--home', {str(tmp_path)!r}]); "
        "sys.exit(', '.join({'ray', 'gradio', 'transformers', 'datasets'} & set(sys.modules)) or None)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
