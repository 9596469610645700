"""An image -> ranked hits. Imports neither Ray nor Gradio, and torch only with the first query.

`collection.py` answers; `version.py` is the build that answers; `example.py` is what is searched from and
`embedding.py` turns it into vectors; `settings.py` says how to search; `nearest.py` asks the store and
`ranking.py` selects from its answer; `hit.py` is what comes out.
"""

from pipeline.search.collection import Collection, list_collections, open_collection
from pipeline.search.hit import Found, Hit
from pipeline.search.query import MAX_K, METRICS, Box, Example, Metric, Picture, Settings

__all__ = [
    "MAX_K",
    "METRICS",
    "Box",
    "Collection",
    "Example",
    "Found",
    "Hit",
    "Metric",
    "Picture",
    "Settings",
    "list_collections",
    "open_collection",
]
