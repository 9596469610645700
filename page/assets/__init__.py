"""Scripts and styles of the page, each a file beside this one; nothing is fetched from elsewhere."""

from functools import cache
from pathlib import Path

__all__ = ["script", "styles"]

_HERE = Path(__file__).parent


@cache
def script(name: str) -> str:
    """A script as `gr.HTML(js_on_load=...)` takes it: `element`, `trigger`, `props` and `watch` are there."""
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def styles() -> str:
    """All style sheets, in the order of their names."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(_HERE.glob("*.css")))
