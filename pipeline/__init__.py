"""Simile's library: everything that happens to an image between its bytes and a ranked list.

    from pipeline import load_encoder, open_collection

Importing it loads neither torch, Ray nor Gradio; each arrives with the first call that needs it.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "load_encoder": "pipeline.encoders",
    "open_collection": "pipeline.search",
    "list_collections": "pipeline.search",
    "Collection": "pipeline.search",
    "Hit": "pipeline.search",
    "SimileError": "pipeline.errors",
    "ImageError": "pipeline.errors",
}

__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
    return getattr(import_module(_WHERE[name]), name)
