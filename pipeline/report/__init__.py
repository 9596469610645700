"""One HTML page about a collection: are the embeddings of similar images similar?

`geometry.py` measures, `charts.py` draws, `pictures.py` loads thumbnails, `sections.py` collects numbers and
drawings for each encoder, `html.py` fills the template `page.html.j2`.
"""

from pipeline.report.html import REPORT, make_report

__all__ = ["REPORT", "make_report"]
