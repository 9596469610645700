"""Which payload fields of a source become filters, and how they go together with those already there."""

from collections.abc import Mapping

from pipeline.config import CollectionConfig
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.progress import say
from pipeline.sources import Source, field_kinds, split_columns
from pipeline.store.field_paths import check_field_names, check_reserved

__all__ = ["filter_kinds", "joined_kinds", "new_kinds", "with_lists"]


def with_lists(source: Source, config: CollectionConfig, other_source: bool) -> Source:
    """The source, with the text columns that `lists:` names read as lists.

    Args:
        other_source: it is not the configuration's own; columns that it lacks are no error.
    """
    there = source.payload_columns
    return split_columns(
        source, {name: mark for name, mark in config.lists.items() if name in there or not other_source}
    )


def filter_kinds(
    source: Source, config: CollectionConfig, other_source: bool = False
) -> dict[str, FieldKind]:
    """Field -> what it holds, for the columns of the source that `filters:` asks for.

    Args:
        other_source: it is not the configuration's own: it need not have all of the columns, and where it has
            none of them, all of its own are taken.

    Raises:
        SimileError: a column that the source lacks, that cannot be filtered, or that Qdrant cannot name.
    """
    check_reserved(source.payload_columns)
    wanted = config.filters
    if other_source and wanted:
        wanted = [name for name in wanted if name in source.payload_columns]
        if not wanted:
            say(f"{source.name} has none of the named filters; all its columns become filters")
        wanted = wanted or None
    kinds = field_kinds(source, wanted)
    check_field_names(kinds)
    return kinds


def joined_kinds(
    before: Mapping[str, FieldKind],
    here: Mapping[str, FieldKind],
    config: CollectionConfig,
    adding: bool = True,
) -> dict[str, FieldKind]:
    """Kinds of a version that holds rows from before and those of a source.

    Whole numbers beside numbers become numbers, and single values beside lists become lists.

    Args:
        before, here: field -> what it holds.
        adding: the rows from before are another source's; otherwise they are read anew, and where the kinds
            of a column cannot be joined, the new one counts.

    Raises:
        SimileError: a field of an added source is of a kind that cannot be joined.
    """
    joined = {name: kind for name, kind in before.items() if config.filters is None or name in config.filters}
    for name, kind in here.items():
        there = joined.get(name, kind)
        kinds = {there.kind, kind.kind}
        if len(kinds) == 1:
            joined[name] = FieldKind(kind.kind, there.many or kind.many)
        elif kinds == {"integer", "number"}:
            joined[name] = FieldKind("number", there.many or kind.many)
        elif adding:
            raise SimileError(
                f"'{name}' holds {there.words} in '{config.collection}' and {kind.words} in this source; "
                "give the column the same type or another name."
            )
        else:
            joined[name] = kind
    return joined


def new_kinds(before: Mapping[str, FieldKind], now: Mapping[str, FieldKind]) -> dict[str, FieldKind]:
    """Those of `now` whose index a version with `before` lacks."""
    return {name: kind for name, kind in now.items() if name not in before or before[name].kind != kind.kind}
