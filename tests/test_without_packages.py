"""A Python that has none of Simile's packages: programs end with a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "program", ["demo.py", "-m pipeline", "-m ray_jobs.index", "-m ray_jobs.samples", "-m ray_jobs.train"]
)
def test_a_program_says_what_is_missing(program: str) -> None:
    bare = [sys.executable, "-S"]  # without site-packages
    run = subprocess.run([*bare, *program.split()], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == ""
    (sentence,) = run.stderr.splitlines()
    assert sentence.startswith(f"error: {sys.executable} has no numpy, PIL, pyarrow, qdrant_client, tqdm; ")
    assert "pip install -r requirements.txt" in sentence
    assert "--runtime-env deploy/runtime-env.yaml" in sentence
