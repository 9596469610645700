"""docs/tour.ipynb runs from its first cell to its last on the bundled samples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.docs.run_tour import cells


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4 and all(not cell.get("outputs") for cell in notebook["cells"])
    assert len(cells()) > 10


@pytest.mark.long
def test_the_notebook_runs(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_tour"],
        cwd=ROOT,
        env=os.environ | {"SIMILE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["collections"] == ["cifar10", "wikiart"]
    assert [600, 600] in told["sizes"] and [1, 256] in told["sizes"]
    assert told["pictures"] > 30
    assert "k is '10', a text; it must be a whole number" in run.stdout
    assert told["copies"][:3] == ["group", "keep", "id"]
    assert told["doubtful"][:3] == ["id", "field", "label"]
