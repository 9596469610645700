"""An image -> ranked hits. Imports neither Ray nor Gradio, and torch only with the first query.

`collection.py` answers queries, `stored_pictures.py` gives what a collection holds, `live_collection.py`
follows its alias, `vectors_out.py` hands everything to other programs (`exported_rows.py` makes the rows,
`export_files.py` the files). `query.py` describes what is searched from and how, `query_embedding.py` turns
it into vectors, `ranking.py` asks the store and ranks its answer, `colour_search.py` does so by a palette,
`hit.py` is a result, `notebook.py` shows it, `hit_table.py` and `contact_sheet.py` take it along.
"""

from pipeline.images import Picture
from pipeline.search.collection import PATIENCE_SECONDS, Collection, list_collections, open_collection
from pipeline.search.colour_search import colours_of
from pipeline.search.exported_rows import VectorBatch
from pipeline.search.hit import Found, Hit, Hits
from pipeline.search.query import MAX_K, METRICS, Box, Example, Metric, Settings

__all__ = [
    "MAX_K",
    "METRICS",
    "PATIENCE_SECONDS",
    "Box",
    "Collection",
    "Example",
    "Found",
    "Hit",
    "Hits",
    "Metric",
    "Picture",
    "Settings",
    "VectorBatch",
    "colours_of",
    "list_collections",
    "open_collection",
]
