"""What stopped a stage, in a sentence: errors of Ray's workers, of disks and of networks."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from pipeline.errors import SimileError

__all__ = ["explained"]

_ADVICE = "\nFailed to apply UDF transform after"  # Ray's, of many lines; added to what any worker says
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
    try:
        yield
    except Exception as error:
        told = _told(error, stage)
        if told is None:
            raise
        error.__traceback__ = None  # its frames hold Ray's executor, which keeps workers
        raise told from error


def _told(error: Exception, stage: str) -> SimileError | None:
    """What to say of an error; None where it says all itself, or nobody has foreseen it."""
    from ray.exceptions import RayError

    if isinstance(error, SimileError) and not isinstance(error, RayError):  # Ray's derive from both
        return None
    for cause in _chain(error):
        if isinstance(cause, SimileError) and not isinstance(cause, RayError):
            return type(cause)(str(cause.args[0]).partition(_ADVICE)[0], *cause.args[1:])
        if _is_full(cause):
            return SimileError(f"The disk is full (stage {stage}); free some space. What is staged stays.")
    if isinstance(error, RayError | OSError | pa.ArrowException):
        lines = str(error).partition(_ADVICE)[0].strip().splitlines()
        last = lines[-1][:300] if lines else type(error).__name__  # such as a bare TimeoutError()
        logs = "; Ray's logs have the whole story" if isinstance(error, RayError) else ""
        return SimileError(f"The stage {stage} stopped: {last}. What is staged stays{logs}.")
    return None


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
