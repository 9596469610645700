"""Which columns of a source can be filtered and counted, and how Qdrant indexes each."""

from collections.abc import Sequence

from qdrant_client import models

from pipeline.sources import Source

__all__ = ["payload_indexes"]


def payload_indexes(source: Source, fields: Sequence[str] | None) -> dict[str, models.PayloadSchemaType]:
    """Field -> index kind, for those of `fields` that the source has.

    None, or where it has none of them: for all class labels, text, whole numbers and booleans.
    """
    from datasets import ClassLabel, Value

    if fields is not None and not fields:
        return {}
    kinds: dict[str, models.PayloadSchemaType] = {}
    for name in source.payload_columns:
        feature = source.features.get(name)
        if isinstance(feature, ClassLabel):
            kinds[name] = models.PayloadSchemaType.KEYWORD
        elif isinstance(feature, Value):
            if "string" in feature.dtype:
                kinds[name] = models.PayloadSchemaType.KEYWORD
            elif feature.dtype == "bool":
                kinds[name] = models.PayloadSchemaType.BOOL
            elif "int" in feature.dtype:
                kinds[name] = models.PayloadSchemaType.INTEGER
    wanted = {name: kind for name, kind in kinds.items() if name in (fields or ())}
    return wanted or kinds
