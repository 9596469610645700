"""An object store that speaks the S3 protocol: moto's server on loopback, with faults on demand."""

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

import pipeline.home

__all__ = ["BUCKET", "S3StandIn", "serve_s3"]

BUCKET = "bucket"
Fault = Callable[[str, str], str | None]  # method, path -> what goes wrong, if anything


class S3StandIn:
    """Serves one bucket. `fault` says for each request what goes wrong.

    before: answered 500, and not carried out. after: carried out, and answered 500 nevertheless. slow: the
    answer comes after two seconds.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.fault: Fault = lambda method, path: None
        self.signed = set[str]()
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()  # moto looks at a condition and writes in two steps
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, ssl_context=tls)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "S3StandIn":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        # AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/s3/aws4_request, …
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
        if len(scope) > 3:
            self.signed.add(f"{scope[0]}/{scope[2]}")
        kind = self.fault(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if kind == "slow":
            time.sleep(2)
        if kind == "after":
            with self._one_at_a_time:
                for _ in self._app(environ, lambda *_: None):
                    pass
        if kind in ("before", "after"):
            start("500 Internal Server Error", [("Content-Type", "application/xml")])
            return [b"<Error><Code>InternalError</Code><Message>We encountered an error.</Message></Error>"]
        if kind == "denied":
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>test</AWSAccessKeyId></Error>"]
        with self._one_at_a_time:
            answer: Iterable[bytes] = self._app(environ, start)
            return answer


def serve_s3(server: S3StandIn, patch: pytest.MonkeyPatch) -> str:
    """Make the bucket, and point the clients of this process and of those that it starts to it.

    Returns:
        The URL of the bucket.
    """
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        patch.setenv(name, value)
    pipeline.home._s3.cache_clear()  # it knows the address of an earlier server
    boto3.client("s3", endpoint_url=server.url).create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}"
