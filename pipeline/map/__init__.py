"""A collection as a picture: places on a plane for its points, and sheets of tiny thumbnails."""

from pipeline.map.map_file import Map, sheet_name
from pipeline.map.tsne import lay_out, place

__all__ = ["Map", "lay_out", "place", "sheet_name"]
