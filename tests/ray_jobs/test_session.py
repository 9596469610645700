"""A Ray cluster that cannot be joined is one sentence."""

import pytest
import ray
from ray.exceptions import AuthenticationError

from pipeline.errors import SimileError
from ray_jobs.session import _join


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379"),
        RuntimeError("Version mismatch: The cluster was started with another one\nRay: 1"),
        ValueError("Malformed address port x. Must be an integer."),
        AuthenticationError("no token"),
        ConnectionError(),
    ],
)
def test_what_ray_says_is_in_the_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(
        SimileError, match=r"RAY_ADDRESS=ray://head:10001 cannot be joined: .+; start it"
    ) as told:
        _join("ray://head:10001", None)
    assert "\n" not in str(told.value)
    with pytest.raises(type(error)):  # of a Ray of this process it is no sentence: nobody has foreseen it
        _join("local", None)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "127.0.0.1:port", "head"])
def test_a_cluster_that_is_gone_is_told_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray would try for minutes"))
    with pytest.raises(SimileError, match="cannot be joined"):
        _join(address, None)
