"""Whoever types their own script strictly sees the library's types, and no `Any`."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

SCRIPT = """
from pathlib import Path
from typing import assert_type

import numpy as np
from PIL import Image

from pipeline import (
    Collection, Encoder, Example, Found, Hit, Settings, list_collections, load_encoder, open_collection,
)

assert_type(list_collections(), list[str])
wikiart = open_collection("wikiart")
assert_type(wikiart, Collection)
hits = wikiart.search(Path("cat.jpg"), metric="hamming", k=3, filters={"style": "Cubism"})
assert_type(hits, list[Hit])
for hit in wikiart:
    assert_type(hit, Hit)
assert_type((hits[0].path, hits[0].score), tuple[str, float])
assert_type(hits[0].image(), Image.Image)
assert_type(len(wikiart), int)
assert_type(wikiart.find([Example(id=hits[0].id)], settings=Settings(k=2)), Found)
assert_type(load_encoder("weights:art-cnn"), Encoder)
encoded: np.ndarray = load_encoder("weights:art-cnn").encode(["cat.jpg"])
wikiart.search("cat.jpg", k="10")
wikiart.search("cat.jpg", metric="euclid")
"""
ROOT = Path(__file__).parent.parent


def test_exports_are_listed_in_three_places_and_stay_lazy() -> None:
    assert sorted(pipeline._WHERE) == sorted(pipeline.__all__)
    tree = ast.parse((ROOT / "pipeline" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    names = {name.name for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert names == set(pipeline.__all__)
    assert all(hasattr(pipeline, name) for name in pipeline.__all__) and set(pipeline.__all__) <= set(
        dir(pipeline)
    )
    heavy = "import sys, pipeline; print({'torch', 'ray', 'gradio', 'pipeline.search'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
    assert (ROOT / "pipeline" / "py.typed").is_file()


@pytest.mark.long
def test_a_strictly_typed_script(tmp_path: Path) -> None:
    """Only its two last lines are wrong, and mypy says so."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--ignore-missing-imports",
    ]
    found = subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache"), "--config-file=", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    wrong = [line.split(": ", 2) for line in found.stdout.splitlines() if ": error:" in line]
    lines = SCRIPT.splitlines()
    assert [lines[int(place.split(":")[1]) - 1] for place, *_ in wrong] == lines[-2:], found.stdout
