"""Pictures as people have them (on the Hub, in folders, buckets, tars and lists), as rows for Ray tasks."""

from pipeline.sources.payload_fields import decode_payload, field_kinds, split_columns
from pipeline.sources.resolve import resolve_source
from pipeline.sources.rows import image_bytes, read_rows, unread_rows
from pipeline.sources.source import Fault, Source, Unread, public_name

__all__ = [
    "Fault",
    "Source",
    "Unread",
    "decode_payload",
    "field_kinds",
    "image_bytes",
    "public_name",
    "read_rows",
    "resolve_source",
    "split_columns",
    "unread_rows",
]
