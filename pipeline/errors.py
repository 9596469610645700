"""Errors meant for people: each names what was wrong, what was expected and what to do."""

__all__ = ["ImageError", "NoSplitError", "NotFinishedError", "SimileError"]


class SimileError(Exception):
    """A mistake or a missing thing that its message explains; shown without a traceback."""


class ImageError(SimileError):
    """These bytes are not an image that Simile can use. The message is one sentence for a visitor.

    Attributes:
        kind: what is wrong in a few words that hold no number or name, to count such images by.
    """

    def __init__(self, message: str, kind: str = "not usable") -> None:
        super().__init__(message)
        self.kind = kind


class NoSplitError(SimileError):
    """The source exists, but has no split of this name."""


class NotFinishedError(SimileError):
    """A version without a manifest: it is being built, or its job was stopped."""
