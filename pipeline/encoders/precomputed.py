"""Vectors that were made elsewhere and stand in a column of the source: an encoder without a network."""

from __future__ import annotations

from pipeline.encoders.description import EncoderDescription

__all__ = ["PRECOMPUTED", "column_of", "describe_precomputed", "is_precomputed", "no_network"]

PRECOMPUTED = "precomputed"  # what such an encoder is called in a YAML, beside `column:`


def is_precomputed(name: str) -> bool:
    """Whether an encoder's name, `precomputed:COLUMN`, says that its vectors are given.

    >>> is_precomputed("precomputed:embedding"), is_precomputed("hf:facebook/dinov2-small")
    (True, False)
    """
    return name.startswith(f"{PRECOMPUTED}:")


def column_of(name: str) -> str:
    """The column of the source that holds the vectors.

    >>> column_of("precomputed:embedding")
    'embedding'
    """
    return name.partition(":")[2]


def describe_precomputed(name: str, dimension: int) -> EncoderDescription:
    """What makes such vectors comparable: their column and length. Nobody can tell what made them.

    Args:
        name: `precomputed:COLUMN`.
        dimension: numbers in each vector.
    """
    column = column_of(name)
    return EncoderDescription(
        name=name,
        family=PRECOMPUTED,
        dimension=dimension,
        revision="",
        preprocessing={"column": column, "dimension": dimension},
        embedding=f"the column '{column}' of the source",
    )


def no_network(name: str) -> str:
    """What is said where a picture would have to be embedded."""
    return (
        f"The vectors of '{name}' were made elsewhere, so that a new picture cannot be embedded here; search "
        "from a picture of the collection, or by a vector."
    )
