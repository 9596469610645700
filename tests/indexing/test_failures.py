"""Errors of workers and full disks become one sentence."""

import errno

import pytest
from ray.exceptions import RayError, RayTaskError

from pipeline.cluster.failures import explained
from pipeline.errors import SimileError


def from_a_worker(error: Exception) -> Exception:
    """As Ray hands over what a task raised."""
    return RayTaskError("EmbedActor()", "a traceback of many lines", error).as_instanceof_cause()


def sentence(error: Exception) -> str:
    with pytest.raises(SimileError) as caught, explained("embed"):
        raise error
    assert type(caught.value) is SimileError
    assert caught.value.__cause__ is error and error.__traceback__ is None  # its frames hold workers
    return str(caught.value)


def test_a_sentence_of_a_worker_is_kept_without_its_traceback() -> None:
    assert sentence(from_a_worker(SimileError("The store is away."))) == "The store is away."
    advised = "The store is away.\nFailed to apply UDF transform after 1/1 attempts.\nTo change …"
    assert sentence(from_a_worker(SimileError(advised))) == "The store is away."


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        from_a_worker(OSError(errno.ENOSPC, "No space left on device")),
        RuntimeError("service error: IO Error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_says_so(error: Exception) -> None:
    assert sentence(error) == "The disk is full (stage embed); free some space. What is staged stays."


def test_what_ray_says_last_is_shown() -> None:
    assert sentence(RayError("one\nthe node is gone")).startswith(
        "The stage embed stopped: the node is gone."
    )
    advice = "Failed to apply UDF transform after 1/1 attempts.\nTo change retry attempts, configure …"
    assert sentence(RayError(f"one\nno such column\n{advice}")).startswith(
        "The stage embed stopped: no such column."
    )


@pytest.mark.parametrize("error", [TimeoutError(), RayError(" ")])
def test_an_error_without_text_is_named(error: Exception) -> None:
    assert "Error. What is staged stays" in sentence(error)


def test_our_own_mistakes_keep_their_traceback() -> None:
    with pytest.raises(KeyError), explained("load"):
        raise KeyError("x")
