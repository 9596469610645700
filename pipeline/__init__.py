"""Simile's library: everything that happens to an image between its bytes and a ranked list.

    from pipeline import load_encoder, open_collection

Importing it loads neither torch, Ray nor Gradio; each arrives with the first call that needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; at run time `__getattr__` imports them one by one
    from pipeline.encoders import Encoder, load_encoder
    from pipeline.errors import ImageError, SimileError
    from pipeline.search import (
        Collection,
        Example,
        Found,
        Hit,
        Hits,
        Picture,
        Settings,
        colours_of,
        list_collections,
        open_collection,
    )

_WHERE = {
    "Collection": "pipeline.search",
    "Encoder": "pipeline.encoders",
    "Example": "pipeline.search",
    "Found": "pipeline.search",
    "Hit": "pipeline.search",
    "Hits": "pipeline.search",
    "ImageError": "pipeline.errors",
    "Picture": "pipeline.search",
    "Settings": "pipeline.search",
    "SimileError": "pipeline.errors",
    "colours_of": "pipeline.search",
    "list_collections": "pipeline.search",
    "load_encoder": "pipeline.encoders",
    "open_collection": "pipeline.search",
}

__all__ = [
    "Collection",
    "Encoder",
    "Example",
    "Found",
    "Hit",
    "Hits",
    "ImageError",
    "Picture",
    "Settings",
    "SimileError",
    "colours_of",
    "list_collections",
    "load_encoder",
    "open_collection",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
