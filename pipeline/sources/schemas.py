"""One schema for files that do not all have the same columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.sources.python_values import say_left_out

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

__all__ = ["features_of", "merge_schemas", "merged_column", "refuse_other_classes"]


def merge_schemas(files: Sequence[str], schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The columns of all files, in the order in which they first occur; where a file lacks one it is null.

    Types that hold each other's values become the wider one: null and anything, whole numbers and numbers,
    short and long texts.

    Args:
        files: names, for messages; N of them.
        schemas: N of them.

    Raises:
        SimileError: two files have values of one column that no type holds; names the column, both files and
            both types.
    """
    import pyarrow as pa

    found: dict[str, tuple[pa.DataType, str]] = {}
    for file, schema in zip(files, schemas, strict=True):
        for field in schema:
            kind = _plain(field.type)
            before, first = found.get(field.name, (kind, file))
            if kind != before:
                merged = _merged(before, kind)
                if merged is None:
                    raise SimileError(
                        f"the column '{field.name}' is {before} in '{first}' and {kind} in '{file}'; write "
                        "both files with one type"
                    )
                kind = merged
                first = file if pa.types.is_null(before) else first
            found[field.name] = kind, first
    return pa.schema([pa.field(name, kind) for name, (kind, _) in found.items()])


def _merged(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa

    if pa.types.is_map(one) and pa.types.is_map(other):
        key, item = _merged(one.key_type, other.key_type), _merged(one.item_type, other.item_type)
        return pa.map_(key, item) if key is not None and item is not None else None
    texts = pa.types.is_string, pa.types.is_large_string
    if any(is_text(one) for is_text in texts) != any(is_text(other) for is_text in texts) and not (
        pa.types.is_null(one) or pa.types.is_null(other)
    ):
        return None  # pyarrow would take bytes for text
    try:
        schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
        return pa.unify_schemas(schemas, promote_options="permissive").field("x").type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def merged_column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """A column of one file, N rows, as all files together have it: null where the file lacks it.

    The type of all files need not hold every value of one of them: a moment of the year 9999 has no place in
    nanoseconds, nor a whole number above 2**53 in a float. Such a value is null, and a warning says so, once
    for each column.

    Args:
        table: of the file.
        kind: of the column in the schema of all files.
    """
    import pyarrow as pa

    if name not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    column = table[name]
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:  # of a single value, perhaps
        return pa.array([_fitted(name, each, kind) for each in column], kind)


def _fitted(name: str, value: pa.Scalar, kind: pa.DataType) -> pa.Scalar | None:
    import pyarrow as pa

    try:
        return value.cast(kind)
    except pa.ArrowInvalid:
        why = f"does not fit into {kind}, the type that the column has in all files together"
        say_left_out(name, str(value.type), why)
        return None


def _plain(kind: pa.DataType) -> pa.DataType:
    """Without dictionaries, which are a way to write values and no type of their own."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def features_of(schema: pa.Schema) -> Features:
    """The features of `datasets` for any schema; maps, which it does not know, are lists of pairs there."""
    import pyarrow as pa
    from datasets import Features

    fields = [
        pa.field(
            field.name, pa.list_(pa.struct([("key", field.type.key_type), ("value", field.type.item_type)]))
        )
        if pa.types.is_map(field.type)
        else field
        for field in schema
    ]
    return Features.from_arrow_schema(pa.schema(fields, metadata=schema.metadata))


def refuse_other_classes(files: Sequence[str], features: Sequence[Any]) -> None:
    """Refuse files whose class ids mean different names.

    Raises:
        SimileError: names the column and both files.
    """
    from datasets import ClassLabel

    known: dict[str, tuple[list[str], str]] = {}
    for file, each in zip(files, features, strict=True):
        for column, feature in each.items():
            if isinstance(feature, ClassLabel):
                names, first = known.setdefault(column, (list(feature.names), file))
                if names != list(feature.names):
                    raise SimileError(
                        f"the column '{column}' has the classes {', '.join(names[:5])} in '{first}' and "
                        f"{', '.join(feature.names[:5])} in '{file}'; write both files with the same classes"
                    )
