"""Which columns of a dataset are images, and which are payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError

if TYPE_CHECKING:
    from datasets import Features


def choose_image(name: str, features: Features, asked: str | None, strict: bool = True) -> str:
    """The image column that was asked for, or else the first one; not `strict`: also where that is not there.

    Raises:
        SimileError: there is none, or not the one that was asked for; the message lists those that are there.
    """
    found = [column for column, feature in features.items() if _is_image(feature)]
    # A column that nobody declared an image may still be one; it has to be asked for by name.
    if asked in features and (asked in found or getattr(features[asked], "dtype", None) == "binary"):
        return str(asked)
    if asked is not None and (strict or not found):
        there = f"image columns: {', '.join(found)}" if found else f"columns: {', '.join(features)}"
        raise SimileError(f"'{name}' has no image column '{asked}'; it has the {there}")
    if not found:
        raise SimileError(
            f"'{name}' has no image column, only {', '.join(features)}; name the one that holds image files"
        )
    return found[0]


def _is_image(feature: Any) -> bool:
    """Declared an image, or laid out as `datasets` lays out images: struct<bytes: binary, path: string>."""
    from datasets import Image

    if isinstance(feature, dict) and set(feature) == {"bytes", "path"}:
        return getattr(feature["bytes"], "dtype", None) == "binary"
    return isinstance(feature, Image)


def _holds_media(feature: Any) -> bool:
    from datasets import Audio, Video

    if isinstance(feature, dict) and not _is_image(feature):
        return any(_holds_media(inner) for inner in feature.values())
    if isinstance(feature, list):
        return _holds_media(feature[0])
    inner = getattr(feature, "feature", None)
    return (
        _is_image(feature)
        or isinstance(feature, (Audio, Video))
        or (inner is not None and _holds_media(inner))
    )


def payload_columns(features: Features, image: str) -> tuple[str, ...]:
    """All columns but the image and others that hold images, sound or video."""
    return tuple(
        column for column, feature in features.items() if column != image and not _holds_media(feature)
    )
