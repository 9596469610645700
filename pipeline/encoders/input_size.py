"""Refusals of input sizes that a network does not take."""

from collections.abc import Sequence

from pipeline.errors import SimileError

__all__ = ["check_patches", "first_line", "input_size_error"]


def input_size_error(name: str, pixels: int, error: Exception | str) -> SimileError:
    """The error to raise when the network of `name` refuses images of this size."""
    return SimileError(
        f"'{name}' does not take images of {pixels} × {pixels} px: {first_line(error)}; "
        "choose another '@<N>px', or leave it out"
    )


def check_patches(name: str, pixels: int | None, patch: int | Sequence[int] | None) -> None:
    """Refuse an input size that is no multiple of the patch size.

    Most networks of patches would ignore the pixels that remain at the right and bottom edge.

    Args:
        pixels: input size that was asked for; None: the network's own.
        patch: side of a patch in pixels, or (height, width); None: the network has none.

    Raises:
        SimileError: `pixels` is not a multiple of the patch.
    """
    side = patch[0] if isinstance(patch, Sequence) else patch
    if pixels and side and pixels % side:
        raise input_size_error(name, pixels, f"it needs a multiple of {side} px, the size of its patches")


def first_line(error: Exception | str) -> str:
    """The first line of an error's message without its full stop, or the name of its class."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
