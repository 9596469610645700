"""Runs docs/tour.ipynb in a process of its own, since it starts Ray: python -m tests.docs.run_tour"""

import ast
import json
from typing import Any

from ray_jobs import samples
from tests.docs.pages import DOCS

__all__ = ["cells", "main"]


def cells() -> list[str]:
    """The code of the notebook."""
    notebook = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _shown(code: str, names: dict[str, Any]) -> Any:
    """Run a cell; what a notebook shows below it is the value of an expression that ends it."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return value._repr_html_() if hasattr(value, "_repr_html_") else value


def main() -> None:
    """Ends with a JSON line of what the cells showed."""
    samples.main([])
    names: dict[str, Any] = {}
    told = [_shown(code, names) for code in cells()]
    pages = [each for each in told if isinstance(each, str)]
    found = {
        "collections": told[0],
        "sizes": [each for each in told if isinstance(each, tuple) and all(type(n) is int for n in each)],
        "pictures": sum(page.count("<img src=") for page in pages),
        "copies": list(names["copies"].columns),
        "doubtful": list(names["doubtful"].columns),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
