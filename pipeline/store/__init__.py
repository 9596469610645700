"""Where points live: one protocol, two implementations (embedded.py, server.py)."""

import os

from pipeline.home import resolve_home, store_folder
from pipeline.store.manifest import Manifest
from pipeline.store.protocol import Store

__all__ = ["Manifest", "Store", "open_store"]


def open_store(home: str | None = None, url: str | None = None, *, patience: float | None = None) -> Store:
    """The Qdrant server at `url` or `QDRANT_URL` (key: `QDRANT_API_KEY`); without one, the embedded engine.

    Args:
        home: where the embedded store lies, and thumbnails that are files; None: `SIMILE_HOME`, else the
            user's data directory.
        url: of a server.
        patience: seconds at most that a request to a server is repeated, where somebody waits for the answer;
            None: as long as `SIMILE_STORE_PATIENCE` says, else 120.

    Raises:
        SimileError: the server does not answer, or the home cannot hold an embedded store.
    """
    url = url or os.environ.get("QDRANT_URL")
    if url:
        from pipeline.store.server import ServerStore

        key = os.environ.get("QDRANT_API_KEY")
        return ServerStore(url, api_key=key, patience=patience, home=home)
    from pipeline.store.embedded import EmbeddedStore

    return EmbeddedStore(store_folder(resolve_home(home)))
