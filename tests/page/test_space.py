"""deploy/space: its folder holds all that the page needs, and the page runs there as a Space runs it."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import yaml
from packaging.requirements import Requirement

from demo import _parser

ROOT = Path(__file__).resolve().parents[2]
SPACE = ROOT / "deploy/space"
# None of these may be needed: they take gigabytes, and minutes to install.
ABSENT = ("ray", "datasets", "torch", "transformers", "timm", "openTSNE", "sklearn", "obstore", "aiohttp")
BLOCK = f"""import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"space_{name}", SPACE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(file: Path) -> dict[str, Requirement]:
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return {one.name: one for one in map(Requirement, filter(None, lines))}


def test_the_space_asks_for_what_the_page_asks_for_and_for_nothing_of_jobs() -> None:
    own, light = names(SPACE / "requirements.txt"), names(ROOT / "requirements-light.txt")
    assert {name: str(one) for name, one in own.items()}.items() <= {
        n: str(one) for n, one in light.items()
    }.items()
    assert not {"ray", "datasets", "torch", "opentsne", "obstore", "aiohttp"} & set(own)


def test_the_front_matter_names_the_file_that_is_started() -> None:
    front = yaml.safe_load((SPACE / "README.md").read_text().split("---")[1])
    assert (
        front["sdk"] == "gradio"
        and (SPACE / front["app_file"]).exists()
        and len(front["short_description"]) <= 60
    )
    told = loaded("app").arguments("/tmp/home", "me-simile.hf.space")
    options = _parser().parse_args(told)
    assert (options.port, options.host, options.allowed_host) == (7860, "0.0.0.0", ["me-simile.hf.space"])
    assert "--allowed-host" not in loaded("app").arguments("/tmp/home", None)


def test_a_folder_that_holds_something_and_a_home_that_holds_nothing_are_refused(tmp_path: Path) -> None:
    build = loaded("build").build
    with pytest.raises(SystemExit, match="holds no collection"):
        build(tmp_path / "space", tmp_path)
    (tmp_path / "a.txt").touch()
    with pytest.raises(SystemExit, match="is not empty"):
        build(tmp_path, tmp_path)


@pytest.mark.long
def test_the_page_runs_in_it_without_ray_and_writes_to_the_temporary_folder_only(
    tmp_path: Path, demo_home: Path
) -> None:
    space, temporary, blocked = (tmp_path / name for name in ("space", "temporary", "blocked"))
    loaded("build").build(space, demo_home)
    blocked.mkdir()
    temporary.mkdir()
    (blocked / "sitecustomize.py").write_text(BLOCK)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = space / "app.py"
    app.write_text(re.sub(r'PORT = "\d+"', f'PORT = "{port}"', app.read_text()))
    before = {path: path.stat().st_mtime_ns for path in space.rglob("*")}
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "HOME": "/nonexistent"}
    environment |= {"PYTHONPATH": str(blocked), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=space,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url, end, found = f"http://127.0.0.1:{port}", time.monotonic() + 120, None
        while found is None and time.monotonic() < end and process.poll() is None:
            try:
                found = httpx.get(url, timeout=5)
            except httpx.TransportError:
                time.sleep(0.5)
        assert found is not None and found.status_code == 200, process.communicate(timeout=20)[0]
        from gradio_client import Client, handle_file

        client = Client(url, verbose=False)
        picture = tmp_path / "grey.png"
        from PIL import Image

        Image.new("RGB", (64, 64), "grey").save(picture)
        said = client.predict(handle_file(picture), "wikiart", api_name="/search")
        assert said["hits"]
    finally:
        process.terminate()
        process.wait(20)
    assert {path: path.stat().st_mtime_ns for path in space.rglob("*")} == before, "it may be read-only"
    assert not list(temporary.glob("simile-home-*")), "what it copied is deleted at its end"
