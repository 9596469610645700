"""One HTML page about a collection: are the embeddings of similar images similar?

`geometry.py` measures, `charts.py` draws, `pictures.py` brings thumbnails, `sections.py` puts together what
is said of each encoder, `page.py` fills `page.html.j2`.
"""

from pipeline.report.html import REPORT, make_report

__all__ = ["REPORT", "make_report"]
