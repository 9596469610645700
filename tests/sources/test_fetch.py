"""Fetching what a list names: bounded, polite, and never from private machines."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

import pipeline.sources.fetch
import pipeline.sources.public_addresses
from pipeline.sources import Unread
from pipeline.sources.fetch import Limits, fetch_all
from pipeline.sources.public_addresses import is_public
from pipeline.sources.web_addresses import shown_address
from tests.sources.conftest import png
from tests.stand_ins.web import WebStandIn

HERE = Limits(private=True, size=2**20, seconds=1.0)


@pytest.fixture
def web() -> Iterator[WebStandIn]:
    with WebStandIn({"/a.png": png(1), "/b.png": png(2)}) as server:
        yield server


def one(address: str, limits: Limits = HERE) -> bytes | Unread:
    return fetch_all([address], limits)[0]


def test_bytes_in_the_order_of_the_addresses(web: WebStandIn) -> None:
    found = fetch_all([f"{web.url}/b.png", f"{web.url}/a.png", f"{web.url}/to?/b.png"], HERE)
    assert found == [png(2), png(1), png(2)]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/status/404", "HTTP 404"),
        ("/status/403", "HTTP 403"),
        ("/declared", "too large"),
        ("/endless", "too large"),
        ("/drip", "timed out"),
        ("/long-wait", "HTTP 429"),
        ("/to?/status/404", "HTTP 404"),
        ("/to?ftp://example.org/a", "bad redirect"),
        ("/to?file:///etc/passwd", "bad redirect"),
        ("/to?http://h:port", "bad redirect"),
    ],
)
def test_failures_say_why(path: str, kind: str, web: WebStandIn) -> None:
    began = time.monotonic()
    found = one(web.url + path)
    assert isinstance(found, Unread) and found.kind == kind
    assert f"{web.url}/" in found.reason and "?" not in found.reason
    assert time.monotonic() - began < 3


def test_a_loop_of_redirects_ends(web: WebStandIn) -> None:
    assert one(f"{web.url}/to?/to").kind == "too many redirects"  # `/to` leads to itself
    assert len(web.requests) == 6


def test_a_server_is_left_alone_for_as_long_as_it_asks(web: WebStandIn) -> None:
    began = time.monotonic()
    assert one(f"{web.url}/busy") == png(1)
    assert web.requests == ["/busy", "/busy"] and 1.0 <= time.monotonic() - began < 2.5


def test_a_host_is_asked_for_two_pictures_at_a_time(web: WebStandIn) -> None:
    found = fetch_all([f"{web.url}/slow/a.png"] * 12, HERE)
    assert found == [png(1)] * 12 and web.most_at_once == 2


def test_servers_that_are_not_there_and_addresses_that_are_none(web: WebStandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert one(f"http://127.0.0.1:{port}/a.png").kind == "not reachable"
    assert one("http://").kind in ("no address", "bad redirect")
    for malformed in ("http://[::1/a.png", "http://127.0.0.1:99999/a.png", "http://h:port/a.png"):
        assert one(malformed) == Unread("no address", f"'{malformed}' is no address")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_asked(host: str, web: WebStandIn) -> None:
    found = one(f"http://{host}:{web.port}/a.png?sig=secret", Limits(seconds=1.0))
    assert isinstance(found, Unread) and found.kind in ("private address", "no address")
    assert "secret" not in found.reason and web.requests == []


def test_a_redirect_to_a_private_machine_is_not_followed(web: WebStandIn, monkeypatch: Any) -> None:
    monkeypatch.setattr(pipeline.sources.fetch, "is_public", lambda address: address == "127.0.0.1")
    for target in (f"http://127.0.0.2:{web.port}/a.png", f"http://localhost:{web.port}/a.png"):
        web.requests.clear()
        assert one(f"{web.url}/to?{target}", Limits(seconds=1.0)).kind == "private address"
        assert web.requests == [f"/to?{target}"]


def test_the_connection_goes_to_the_address_that_was_looked_at(web: WebStandIn, monkeypatch: Any) -> None:
    """A name that means another machine the next time it is asked for (DNS rebinding) gains nothing."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if host != "rebinding.test":
            return real(host, *args, **options)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.9", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(
        pipeline.sources.public_addresses, "is_public", lambda address: address == "127.0.0.1"
    )
    assert one(f"http://rebinding.test:{web.port}/a.png", Limits(seconds=1.0)) == png(1)
    assert asked == ["rebinding.test"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:a00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_passwords_and_signatures_are_not_shown() -> None:
    assert shown_address("https://me:se@cret@h.org/a.jpg?X-Amz-Signature=1#x") == "https://h.org/a.jpg"
    assert shown_address("a b?.jpg") == "a b?.jpg"
