"""Pictures as people have them (on the Hub, in folders, buckets, tars and lists), as rows for Ray tasks."""

from pipeline.sources.payload_fields import decode_payload, field_kinds, split_columns
from pipeline.sources.resolve import resolve_source
from pipeline.sources.rows import (
    for_tasks,
    image_bytes,
    image_views,
    read_rows,
    read_unit,
    units_of,
    unread_rows,
)
from pipeline.sources.source import Fault, Source, Unread, public_name
from pipeline.sources.units import Unit

__all__ = [
    "Fault",
    "Source",
    "Unit",
    "Unread",
    "decode_payload",
    "field_kinds",
    "for_tasks",
    "image_bytes",
    "image_views",
    "public_name",
    "read_rows",
    "read_unit",
    "resolve_source",
    "split_columns",
    "units_of",
    "unread_rows",
]
