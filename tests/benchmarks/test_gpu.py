"""The benchmark of GPUs runs on a bare machine with PyTorch, here in its short form without a GPU."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Everything but what a bare CUDA machine has, and what those packages need themselves, cannot be imported.
_BARE = """
import re, sys
from importlib import metadata

allowed, waiting = set(), ["torch", "torchvision", "timm", "transformers", "pillow", "numpy", "pyarrow"]
while waiting:
    name = re.split(r"[^A-Za-z0-9._-]", waiting.pop())[0].lower().replace("_", "-")
    if name not in allowed:
        allowed.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        waiting += [each for each in needed if "extra ==" not in each]
blocked = {
    module
    for module, owners in metadata.packages_distributions().items()
    if not {owner.lower().replace("_", "-") for owner in owners} & allowed
}
assert {"ray", "pydantic", "qdrant_client", "onnxruntime", "pillow_heif", "platformdirs", "gradio"} <= blocked

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocker())
from benchmarks.gpu import main

main(["--short", "--train"])
"""


@pytest.mark.long
def test_the_short_form_needs_nothing_but_what_a_bare_machine_has() -> None:
    run = subprocess.run([sys.executable, "-c", _BARE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for said in ("images/s alone", "prepare, one core", "500 × 375", "least cosine 0.99", "training step"):
        assert said in run.stdout
