"""What went wrong with a request to a Qdrant server: one classification for REST and gRPC."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import grpc
import httpx
from pydantic import ValidationError
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from pipeline.errors import SimileError
from pipeline.store.strict_refusals import forbidden

__all__ = ["SERVER_ERRORS", "Failure", "ServerError", "classify", "sentence"]

Kind = Literal["temporary", "refused", "denied", "exists", "absent", "foreign", "untrusted"]

# Everything that a call of qdrant-client raises for reasons that lie outside this process.
SERVER_ERRORS = (ApiException, ResourceExhaustedResponse, grpc.RpcError, json.JSONDecodeError)

_GRPC: dict[grpc.StatusCode, Kind] = {
    grpc.StatusCode.UNAVAILABLE: "temporary",
    grpc.StatusCode.DEADLINE_EXCEEDED: "temporary",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "temporary",
    grpc.StatusCode.ABORTED: "temporary",
    grpc.StatusCode.CANCELLED: "temporary",
    grpc.StatusCode.INTERNAL: "temporary",  # of a replica, or of the transport, as REST's 500
    grpc.StatusCode.UNAUTHENTICATED: "denied",
    grpc.StatusCode.PERMISSION_DENIED: "denied",
    grpc.StatusCode.ALREADY_EXISTS: "exists",
    grpc.StatusCode.NOT_FOUND: "absent",
}
_HTTP: dict[int, Kind] = {401: "denied", 403: "denied", 404: "absent", 408: "temporary", 409: "exists"}
_MOVING = re.compile(r"transfer|shard|replica|consensus", re.IGNORECASE)
_TOO_LARGE = re.compile(r"message larger than max", re.IGNORECASE)  # gRPC calls it exhausted; it stays so
_UNTRUSTED = re.compile(r"certificate[ _]verify[ _]failed|CERTIFICATE_VERIFY_FAILED", re.IGNORECASE)
# What the server puts before the reason of a replica, and before any reason.
_CAUSES = re.compile(r'First error captured: |status: \'?[\w ]+\'?, message: "|error sending request: ')
_CLASS = re.compile(
    r"^(Service internal error|Wrong input|Bad request|Timeout error|Timeout|Failed precondition"
    r"|Forbidden|Not found|Service unavailable|Tonic status error): "
)
_LONGEST_REASON = 300  # characters


@dataclass(frozen=True)
class Failure:
    """Why a request failed.

    Attributes:
        kind: temporary, so that the same request may succeed later; refused, it never will; denied, this key
            may not; exists, what was to be made is there; absent, what was asked for is not; foreign, no
            Qdrant answers at this address; untrusted, the certificate is not accepted.
        reason: the server's own innermost reason, or the connection's; "" where there is none.
        status: of HTTP or gRPC; "" where nobody answered.
        wait: seconds that the server asks to wait.
    """

    kind: Kind
    reason: str = ""
    status: str = ""
    wait: float = 0.0


class ServerError(SimileError):
    """A request to a server failed for good; `failure` says why."""

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message, failure)  # both, so that it comes whole out of Ray's workers
        self.failure = failure

    def __str__(self) -> str:
        return str(self.args[0])


def classify(error: BaseException) -> Failure:
    """The failure behind an error of qdrant-client, one of `SERVER_ERRORS`."""
    if isinstance(error, ResourceExhaustedResponse):
        return Failure("temporary", _innermost(error.message), "429", float(error.retry_after_s))
    if isinstance(error, UnexpectedResponse):
        return _of_answer(error.status_code or 0, error.content)
    if isinstance(error, grpc.RpcError):
        return _of_call(error)
    if isinstance(error, json.JSONDecodeError):  # answered 200, and no JSON
        return Failure("foreign", "its answer is no JSON")
    source = error.source if isinstance(error, ResponseHandlingException) else error
    if isinstance(source, ValidationError | json.JSONDecodeError):
        return Failure("foreign", "its answer has another form")
    causes = [str(each) for each in _causes(source) if str(each)]
    untrusted = next((cause for cause in causes if _UNTRUSTED.search(cause)), None)
    if untrusted:
        return Failure("untrusted", _shortened(untrusted))
    kind: Kind = (
        "refused" if isinstance(source, httpx.UnsupportedProtocol | httpx.InvalidURL) else "temporary"
    )
    return Failure(kind, _shortened(causes[-1] if causes else type(source).__name__))


def _of_answer(status: int, content: bytes) -> Failure:
    own = _own_words(content)
    kind = _HTTP.get(status, "temporary" if status == 429 or status >= 500 else "refused")
    if own is None and kind not in ("temporary", "denied"):  # a proxy may say that a server is away or closed
        return Failure("foreign", f"it answers {status} in words that are not Qdrant's", str(status))
    return Failure(kind, _innermost(own or ""), str(status))


def _own_words(content: bytes) -> str | None:
    """The error in a body of Qdrant's; None for a body of somebody else's."""
    try:
        status = json.loads(content)["status"]
        return str(status["error"])
    except (ValueError, KeyError, TypeError):
        text = content.decode(errors="replace").strip()
        return text if text.startswith("JSON payload") else None


def _of_call(error: grpc.RpcError) -> Failure:
    if not isinstance(error, grpc.Call):
        return Failure("temporary", _shortened(str(error)))
    code, details = error.code(), error.details() or ""
    kind = _GRPC.get(code, "refused")
    if _UNTRUSTED.search(details):
        kind = "untrusted"
    elif _TOO_LARGE.search(details):
        kind = "refused"
    elif code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNKNOWN) and _MOVING.search(details):
        kind = "temporary"
    return Failure(kind, _innermost(details), code.name)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _innermost(text: str) -> str:
    """The reason below those that a server wraps around it.

    >>> _innermost("Service internal error: 2 out of 6 shards failed. First error captured: Wrong input: no")
    'no'
    """
    text = _CAUSES.split(text)[-1]
    while _CLASS.match(text):
        text = _CLASS.sub("", text)
    return _shortened(text.partition('", details: ')[0])


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_REASON].rstrip(" .")


def sentence(failure: Failure, address: str, patience: float) -> str:
    """What a person is told; it ends with the server's own reason.

    Args:
        failure: from `classify`.
        address: of the server.
        patience: seconds that the request was repeated.
    """
    status, reason = failure.status, failure.reason
    server = f"The Qdrant server at {address}"
    if failure.kind == "foreign":
        return (
            f"What answers at {address} is not a Qdrant server: {reason}; check QDRANT_URL, which names the "
            "REST port, usually 6333."
        )
    if failure.kind == "untrusted":
        return (
            f"The certificate of the Qdrant server at {address} is not trusted ({reason}); set QDRANT_CA "
            "or --ca to the PEM file of the authority that signed it."
        )
    if failure.kind == "denied":
        return f"{server} refuses this key ({status}); set QDRANT_API_KEY to one that may do what is asked."
    if failure.kind == "refused" and (what := forbidden(reason)):
        return (
            f"{server} refuses the request: its strict mode forbids {what}; change that setting of the "
            f"collection: {reason}."
        )
    if failure.kind != "temporary":
        return f"{server} refuses the request ({status or 'it was not sent'}): {reason or 'no reason given'}."
    said = f"answered {status}" if status else "did not answer"
    because = f": {reason}" if reason else ""
    return f"{server} {said} for {patience:.0f} s; try again when it is back{because}."
