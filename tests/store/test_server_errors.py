"""Each error of a server is classed once, by REST and by gRPC, and told with the server's own reason."""

import json
import pickle
import ssl

import grpc
import httpx
import pytest
from httpx import Headers
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from pipeline.errors import SimileError
from pipeline.store import open_store
from pipeline.store.server_errors import Failure, ServerError, classify, sentence
from tests.stand_ins.qdrant import QdrantStandIn

SHARDS = (
    "Service internal error: 2 out of 6 shards failed to apply operation. First error captured: "
    "Service internal error: Failed to connect to http://10.0.0.3:6335/, error: transport error"
)
UNREACHED = "Failed to connect to http://10.0.0.3:6335/, error: transport error"


def answered(status: int, error: str = "asked for") -> UnexpectedResponse:
    content = json.dumps({"status": {"error": error}, "time": 0.1}).encode()
    return UnexpectedResponse(status, "", content, Headers())


def html(status: int) -> UnexpectedResponse:
    return UnexpectedResponse(status, "", b"<!doctype html><h1>nginx</h1>", Headers())


class Call(grpc.RpcError, grpc.Call):
    """How a call ended."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


Call.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]  # the rest of a call is not asked for


def untrusted() -> ResponseHandlingException:
    connecting = httpx.ConnectError("connection failed")
    connecting.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed: unknown authority")
    return ResponseHandlingException(connecting)


Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        *[(answered(status), "temporary", "asked for") for status in (408, 429, 500, 502, 503, 504)],
        (answered(500, SHARDS), "temporary", UNREACHED),
        (html(502), "temporary", ""),  # a proxy before a server that is away
        (ResourceExhaustedResponse("Rate limiting exceeded", 3), "temporary", "Rate limiting exceeded"),
        (ResponseHandlingException(httpx.ReadTimeout("timed out")), "temporary", "timed out"),
        (ResponseHandlingException(httpx.ConnectError("refused")), "temporary", "refused"),
        (answered(400, "Wrong input: Not existing vector name error: v"), "refused", "Not existing vector"),
        (answered(401), "denied", "asked for"),
        (UnexpectedResponse(401, "", b"Must provide an API key", Headers()), "denied", ""),
        (answered(403), "denied", "asked for"),
        (answered(404, "Not found: Collection `x` doesn't exist!"), "absent", "doesn't exist!"),
        (answered(409, "Wrong input: Collection `x` already exists!"), "exists", "Collection `x`"),
        (html(404), "foreign", "404"),
        (json.JSONDecodeError("Expecting value", "<html>", 0), "foreign", "no JSON"),
        (untrusted(), "untrusted", "certificate verify failed"),
        *[
            (Call(code, SHARDS), "temporary", UNREACHED)
            for code in (
                Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.ABORTED,
                Code.CANCELLED, Code.INTERNAL,
            )
        ],
        (Call(Code.FAILED_PRECONDITION, "shard 3 is in transfer"), "temporary", "shard 3 is in transfer"),
        (Call(Code.FAILED_PRECONDITION, "strict mode"), "refused", "strict mode"),
        (Call(Code.RESOURCE_EXHAUSTED, "message larger than max (9 vs. 4)"), "refused", "larger than max"),
        (Call(Code.INVALID_ARGUMENT, "Wrong input: no"), "refused", "no"),
        (Call(Code.UNAUTHENTICATED, "no key"), "denied", "no key"),
        (Call(Code.PERMISSION_DENIED, "read only"), "denied", "read only"),
        (Call(Code.NOT_FOUND, "Not found: Collection"), "absent", "Collection"),
        (Call(Code.ALREADY_EXISTS, "exists"), "exists", "exists"),
        (Call(Code.UNAVAILABLE, "Handshake failed: CERTIFICATE_VERIFY_FAILED"), "untrusted", "CERTIFICATE"),
    ],
)  # fmt: skip
def test_each_error_has_one_class(error: BaseException, kind: str, reason: str) -> None:
    failure = classify(error)
    assert failure.kind == kind
    assert reason in failure.reason and not failure.reason.startswith("Service internal error")


def test_a_server_that_is_busy_says_how_long_to_wait() -> None:
    assert classify(ResourceExhaustedResponse("Rate limiting exceeded", 3)).wait == 3.0


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            classify(answered(500, SHARDS)),
            f"The Qdrant server at http://q answered 500 for 60 s; try again when it is back: {UNREACHED}.",
        ),
        (
            classify(ResponseHandlingException(httpx.ReadTimeout("timed out"))),
            "The Qdrant server at http://q did not answer for 60 s; try again when it is back: timed out.",
        ),
        (
            classify(html(404)),
            "What answers at http://q is not a Qdrant server: it answers 404 in words that are not Qdrant's; "
            "check QDRANT_URL, which names the REST port, usually 6333.",
        ),
        (
            classify(answered(400, "Wrong input: no")),
            "The Qdrant server at http://q refuses the request (400): no.",
        ),
        (
            Failure("denied", "", "403"),
            "The Qdrant server at http://q refuses this key (403); set QDRANT_API_KEY to one that may do "
            "what is asked.",
        ),
    ],
)
def test_each_class_has_one_sentence(failure: Failure, said: str) -> None:
    assert sentence(failure, "http://q", 60) == said


@pytest.mark.parametrize(
    "url",
    [
        "http://[x",
        "http://h:port",
        "http://127.0.0.1:99999999",
        "http://",
        "ftp://h",
        "http://s3cr3t:s3cr3t@[x",
    ],
)
def test_what_is_no_address_is_a_sentence(url: str) -> None:
    with pytest.raises(SimileError, match="names no Qdrant server; give an address such as") as said:
        open_store(url=f"http://127.0.0.1:1,{url}", patience=0)
    assert "s3cr3t" not in str(said.value)


def test_a_password_in_the_address_is_not_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "key")  # that it is sent without encryption is said in a log
    with QdrantStandIn() as server:
        url = server.url.replace("//", "//anna:s3cr3t@")
        store = open_store(url=url, patience=0)
        assert store.address == url and "s3cr3t" not in store.engine
        server.fault = lambda method, path: "500"
        with pytest.raises(SimileError, match=r"at http://\*\*\*@127") as said:
            store.aliases()
    assert "s3cr3t" not in str(said.value)
    with pytest.raises(SimileError, match=r"No Qdrant server answers at http://\*\*\*@127.0.0.1:1;"):
        open_store(url="http://anna:s3cr3t@127.0.0.1:1", patience=0)
    assert caplog.text and "s3cr3t" not in caplog.text


def test_an_error_comes_whole_out_of_another_process() -> None:
    error = ServerError("The server is away.", Failure("temporary", "refused", "503", 2.0))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.failure) == ("The server is away.", error.failure)


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    said = sentence(classify(untrusted()), "https://q", 60)
    assert said.startswith("The certificate of the Qdrant server at https://q is not trusted (")
    assert "certificate verify failed: unknown authority" in said
