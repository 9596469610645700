"""What stops a stage -> one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from pipeline.errors import NotFinishedError, SimileError

__all__ = ["explained"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_TEXT = "No space left on device"  # of the embedded engine, whose errors have no number


@contextmanager
def explained(stage: str) -> Iterator[None]:
    """Turn errors of Ray's workers, and of files and networks anywhere, into a SimileError; others pass.

    Args:
        stage: for the message, such as "embed".

    Raises:
        SimileError: the one that a worker raised, or one that says what stopped the stage.
    """
    from ray.exceptions import RayError

    try:
        yield
    except Exception as error:
        for cause in _chain(error):
            if type(cause) in (SimileError, NotFinishedError):  # not Ray's, which derive from them
                raise cause from error
            if _is_full(cause):
                raise SimileError(
                    f"The disk is full (stage {stage}); free some space. What is staged stays."
                ) from error
        if isinstance(error, RayError | OSError | pa.ArrowException):
            last = str(error).strip().splitlines()[-1][:300]
            logs = "; Ray's logs have the whole story" if isinstance(error, RayError) else ""
            raise SimileError(f"The stage {stage} stopped: {last}. What is staged stays{logs}.") from error
        raise


def _is_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in _FULL) or _FULL_TEXT in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, also across Ray's processes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = getattr(one, "cause", None)  # of a RayTaskError
        waiting += [inner if isinstance(inner, BaseException) else None, one.__cause__, one.__context__]
