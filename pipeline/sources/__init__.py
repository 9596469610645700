"""A Hub id, a mirror in the Hub's layout or a folder of images, as rows that can be read in Ray tasks."""

from pipeline.sources.payload_fields import decode_payload, field_kinds, split_columns
from pipeline.sources.resolve import resolve_source
from pipeline.sources.rows import image_bytes, read_rows
from pipeline.sources.source import Fault, Source, public_name

__all__ = [
    "Fault",
    "Source",
    "decode_payload",
    "field_kinds",
    "image_bytes",
    "public_name",
    "read_rows",
    "resolve_source",
    "split_columns",
]
