"""docs/tour.ipynb runs from its first cell to its last on the bundled samples."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from ray_jobs import samples
from tests.docs.pages import DOCS


def cells() -> list[str]:
    notebook = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def shown(code: str, names: dict[str, Any]) -> Any:
    """Run a cell; what a notebook shows below it is the value of an expression that ends it."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return value._repr_html_() if hasattr(value, "_repr_html_") else value


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4 and all(not cell.get("outputs") for cell in notebook["cells"])
    assert len(cells()) > 10


@pytest.mark.long
def test_the_notebook_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIMILE_HOME", str(tmp_path))
    samples.main([])
    names: dict[str, Any] = {}
    told = [shown(code, names) for code in cells()]
    assert told[0] == ["cifar10", "wikiart"] and (600, 600) in told and (1, 256) in told
    pages = [each for each in told if isinstance(each, str)]
    assert sum(page.count("<img src=") for page in pages) > 30
    assert "k is '10', a text; it must be a whole number" in capsys.readouterr().out
    assert set(names["copies"]["kind"]) & {"re-encoded", "edited"}
