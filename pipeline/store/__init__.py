"""Where points live: one protocol, two implementations (edge.py, server.py)."""

import os

from pipeline.home import resolve_home, store_folder
from pipeline.store.protocol import Manifest, Store

__all__ = ["Manifest", "Store", "open_store"]


def open_store(home: str | None = None, url: str | None = None) -> Store:
    """The Qdrant server at `url` or `QDRANT_URL` (key: `QDRANT_API_KEY`); without one, the embedded engine.

    Raises:
        SimileError: the server does not answer, or the home cannot hold an embedded store.
    """
    url = url or os.environ.get("QDRANT_URL")
    if url:
        from pipeline.store.server import ServerStore

        return ServerStore(url, api_key=os.environ.get("QDRANT_API_KEY"))
    from pipeline.store.edge import EdgeStore

    return EdgeStore(store_folder(resolve_home(home)))
