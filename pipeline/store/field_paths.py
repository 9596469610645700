"""Names of payload fields as Qdrant takes them: it reads a JSON path wherever a field is named.

Without quotes `exif.make` would be the key `make` inside `exif`, `tags[]` each element of a list, and
`Shot by` an error. Between double quotes a name is taken as it stands. For a plain name both are the same
path, so indexes that were made without quotes are found.
"""

from collections.abc import Iterable, Sequence

from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.fields import Kind
from pipeline.points import RESERVED

__all__ = [
    "SCHEMAS",
    "FieldName",
    "check_field_names",
    "check_reserved",
    "field_name",
    "json_path",
    "payload_selector",
]

FieldName = str | tuple[str, ...]  # a column; or the keys that lead to a value inside one

SCHEMAS: dict[Kind, models.PayloadSchemaType] = {
    "text": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "number": models.PayloadSchemaType.FLOAT,
    "boolean": models.PayloadSchemaType.BOOL,
    "time": models.PayloadSchemaType.DATETIME,
}


def json_path(name: FieldName) -> str:
    """The path that names this field and nothing else.

    >>> json_path("exif.make"), json_path(("_simile", "mark"))
    ('"exif.make"', '"_simile"."mark"')

    Raises:
        SimileError: Qdrant has no path for the name.
    """
    keys = (name,) if isinstance(name, str) else name
    check_field_names(keys)
    return ".".join(f'"{key}"' for key in keys)


def field_name(path: str) -> str:
    """The field of a payload index, from the path that Qdrant reports: the inverse of `json_path`.

    >>> field_name('"exif.make"'), field_name("label")
    ('exif.make', 'label')
    """
    return path[1:-1] if len(path) > 1 and path[0] == path[-1] == '"' and '"' not in path[1:-1] else path


def check_field_names(names: Iterable[str]) -> None:
    """Refuse names that no path can hold.

    Raises:
        SimileError: naming the first such field, and what to do.
    """
    for name in names:
        if not name or '"' in name or "\\" in name:
            what = f"named {name!r}" if name else "without a name"
            raise SimileError(
                f'A column {what} cannot be filtered: Qdrant accepts no empty names and none with " or \\ in '
                "them. Rename it in the source, or leave it out of `filters:` in the YAML."
            )


def check_reserved(names: Iterable[str]) -> None:
    """Refuse a column whose name Simile uses for its own facts of a point."""
    if RESERVED in names:
        raise SimileError(
            f"The source has a column '{RESERVED}', where Simile keeps its own facts; rename it."
        )


def payload_selector(fields: Sequence[FieldName] | None) -> bool | list[str]:
    """What Qdrant calls `fields` of a point: all of them (None), some, or none (empty)."""
    return True if fields is None else [json_path(field) for field in fields] or False
