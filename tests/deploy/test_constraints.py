"""constraints.txt: a version of everything that is needed, each within the bounds of requirements*.txt."""

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("constraints", ROOT / ".ci/constraints.py")
assert _SPEC and _SPEC.loader
constraints = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(constraints)

WANTED = constraints.requirements(ROOT / "requirements-dev.txt")
PINNED = {
    canonicalize_name(one.name): one.specifier for one in constraints.requirements(ROOT / "constraints.txt")
}
# Versions below have a published advisory.
SAFE = {
    "aiohttp": "3.13.3",
    "filelock": "3.20.3",
    "gradio": "6.6.0",
    "h11": "0.16",
    "jinja2": "3.1.6",
    "mcp": "1.23.0",
    "onnx": "1.19.1",
    "pillow": "12.1.1",
    "protobuf": "6.33.5",
    "pyarrow": "23.0.1",
    "python-multipart": "0.0.22",
    "ray": "2.52.0",
    "requests": "2.32.4",
    "sentencepiece": "0.2.1",
    "starlette": "0.49.1",
    "torch": "2.10.0",
    "tqdm": "4.66.3",
    "transformers": "4.53.0",
    "urllib3": "2.6.3",
}


def version_of(name: str) -> str:
    (pin,) = PINNED[canonicalize_name(name)]
    assert pin.operator == "=="
    return pin.version


def test_every_requirement_has_a_version_within_its_bounds() -> None:
    for wanted in WANTED:
        assert wanted.specifier.contains(version_of(wanted.name)), str(wanted)


def test_whatever_they_need_has_a_version_too() -> None:
    """If this fails, requirements were added: `make constraints`."""
    assert set(constraints.installed(WANTED)) <= set(PINNED)


@pytest.mark.parametrize("name", SAFE)
def test_lower_bounds_are_above_advisories(name: str) -> None:
    (wanted,) = [one for one in WANTED if canonicalize_name(one.name) == name]
    lowest = [Version(bound.version) for bound in wanted.specifier if bound.operator == ">="]
    assert lowest and lowest[0] >= Version(SAFE[name])


def test_the_light_set_is_part_of_the_whole_and_brings_no_torch() -> None:
    light, whole = ((ROOT / f"requirements{name}.txt").read_text().splitlines() for name in ("-light", ""))
    lines = [line for line in light if line and not line.startswith("#")]
    assert lines and set(lines) < set(whole)
    needed = constraints.installed(constraints.requirements(ROOT / "requirements-light.txt"))
    assert not {"torch", "torchvision", "timm", "transformers"} & set(needed)
    assert set(needed) <= set(PINNED)


def test_extras_and_markers_are_followed() -> None:
    found = constraints.installed([Requirement("ray[default]"), Requirement("no-such-package-anywhere")])
    assert {"ray", "aiohttp"} <= set(found)
    assert all(re.fullmatch(r"[\w.!]+", version) for version in found.values())


def test_an_audit_without_a_network_says_so_and_goes_on(tmp_path: Path) -> None:
    curl = tmp_path / "curl"
    curl.write_text("#!/bin/sh\nexit 6\n")
    curl.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci/audit"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "versions were NOT compared" in done.stdout
    assert "make audit" in (ROOT / ".ci/run").read_text()
