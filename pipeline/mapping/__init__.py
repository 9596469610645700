"""A collection as a picture: places on a plane for its points, and sheets of tiny thumbnails."""

from pipeline.mapping.layout import lay_out, place
from pipeline.mapping.stored import Map, sheet_name

__all__ = ["Map", "lay_out", "place", "sheet_name"]
