"""Under which names the page answers, what other sites may send, and how fast passwords may be tried."""

from itertools import product
from typing import Any

import pytest

from page.allowed_hosts import AllowedHosts
from page.login import LoginDelays

WRONG = (
    *("evil.example", "127.0.0.1.evil.example:7860", "localhost.evil.example", "192.0.2.1:7860", ""),
    *("a@127.0.0.1", "[::2]", "127.0.0.1:x:y", "127.0.0.1/x", "[::1"),
)


def test_a_name_that_is_not_this_pages_is_refused(strangers: Any) -> None:
    client, _ = strangers()
    for host, path in product(WRONG, ("/health", "/gradio_api/mcp/", "/gradio_api/call/collections")):
        refused = client.post(path, json={"data": []}, headers={"Host": host})
        assert refused.status_code == 400 and "--allowed-host" in refused.text, (host, path)


def test_own_and_given_names_are_answered_and_the_public_links_later(strangers: Any) -> None:
    client, _ = strangers(hosts=["simile.example"])
    for host in ("127.0.0.1:7860", "localhost:1", "[::1]:7860", "SIMILE.example", "simile.example:443"):
        assert client.get("/health", headers={"Host": host}).status_code == 503, host  # it has no collection
    hosts = AllowedHosts()
    assert not hosts.allows("abc.gradio.live")
    hosts.add("https://abc.gradio.live")
    assert hosts.allows("abc.gradio.live") and not hosts.allows("xyz.gradio.live")


def test_who_listens_to_other_machines_is_reached_by_number() -> None:
    hosts = AllowedHosts(listening="0.0.0.0")
    assert hosts.allows("192.0.2.1:7860") and hosts.allows("[2001:db8::1]:7860")
    assert not hosts.allows("evil.example")
    assert AllowedHosts(listening="192.0.2.1").allows("192.0.2.1:7860")


OTHERS = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:7860"},
)
SENT_TO = ("/gradio_api/upload", "/gradio_api/queue/join", "/login", "/gradio_api/mcp/")


def test_other_sites_cannot_send_anything(strangers: Any) -> None:
    client, _ = strangers()
    for headers, path in product(OTHERS, SENT_TO):
        refused = client.post(path, json={"data": []}, headers=headers)
        assert refused.status_code == 403 and "other sites" in refused.text, (headers, path)


def test_other_sites_cannot_read_what_a_visitor_sees(strangers: Any) -> None:
    """Gradio allows any site to read with the visitor's cookies where the page has a public name."""
    client, _ = strangers(hosts=["simile.example"])
    for path in ("/config", "/gradio_api/info", "/health", "/gradio_api/queue/data?session_hash=a", "/"):
        asked = {"Host": "simile.example", "Origin": "https://evil.example", "Cookie": "access-token-1=a"}
        refused = client.get(path, headers=asked)
        assert refused.status_code == 403 and "nor read it" in refused.text, path
    for headers in ({"Origin": "https://simile.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.get("/config", headers={"Host": "simile.example", **headers}).status_code == 200


def test_the_page_itself_and_programs_can(strangers: Any) -> None:
    client, _ = strangers(hosts=["simile.example"])
    for headers in (
        {},
        {"Origin": "http://127.0.0.1:7860"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://simile.example"},
        {"Origin": "http://simile.example"},  # a proxy that passes its upstream as Host
    ):
        asked = client.post("/gradio_api/call/collections", json={"data": []}, headers=headers)
        assert asked.status_code == 200, headers


def log_in(client: Any, password: str) -> Any:
    return client.post("/login", data={"username": "anna", "password": password})


def test_after_failures_one_waits(strangers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("page.login._HOLD", 0.0)
    client, _ = strangers(auth=[("anna", "b")])
    codes = [log_in(client, "wrong").status_code for _ in range(5)]
    assert codes == [400, 400, 400, 429, 429]
    told = log_in(client, "b")
    assert told.status_code == 429 and "too many failed logins" in told.text and told.headers["Retry-After"]


def test_delays_grow_per_address_and_in_all_and_end() -> None:
    now = [0.0]
    delays = LoginDelays(clock=lambda: now[0])
    waits = []
    for _ in range(12):
        delays.begin("192.0.2.1")
        waits.append(delays.wait("192.0.2.1"))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert delays.wait("192.0.2.2") == 0
    for number in range(20):
        delays.begin(f"198.51.100.{number}")
    assert delays.wait("192.0.2.2") == 5, "a little for everybody, after many failures anywhere"
    now[0] = 5
    delays.begin("192.0.2.2")
    delays.succeeded("192.0.2.2")
    assert delays.wait("192.0.2.2") == 0
    now[0] = 2000
    assert delays.wait("192.0.2.1") == 0


def test_tries_at_the_same_time_count_too() -> None:
    delays = LoginDelays(clock=lambda: 0.0)
    for _ in range(3):  # none of them is answered yet
        delays.begin("192.0.2.1")
    assert delays.wait("192.0.2.1") == 1
