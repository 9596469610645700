"""An image -> ranked hits. Imports neither Ray nor Gradio, and torch only with the first query.

`collection.py` answers, `version.py` knows the build that answers, `embedding.py` turns examples into
vectors, `settings.py` says how to search, `hit.py` is one result.
"""

from pipeline.search.collection import Collection, list_collections, open_collection
from pipeline.search.hit import Hit
from pipeline.search.settings import MAX_K, METRICS, Metric

__all__ = ["MAX_K", "METRICS", "Collection", "Hit", "Metric", "list_collections", "open_collection"]
