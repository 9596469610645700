"""A public link that is lost is opened again, for as long as the page runs."""

import http.server
import itertools
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gradio import networking, tunneling

from page.gradio_tunnel import GradioTunnel, open_gradio_tunnel
from page.share_link import Pace, ShareLink, TunnelError, answers
from pipeline.errors import SimileError
from tests.stand_ins import tunnel

QUICK = Pace(check=0.01, misses=3, first_wait=0.001, longest_wait=0.004, tries=6)


class Tunnel:
    """One that says what a test has it say."""

    def __init__(self, address: str, ended: bool = False) -> None:
        self.address, self.ended = address, ended

    def kill(self) -> None:
        self.ended = True


class Tunnels:
    """Opens a-0, a-1, …; after the first one it fails as often as it is told to."""

    def __init__(self, failures: int = 0, pace: Pace = QUICK) -> None:
        self.opened: list[Tunnel] = []
        self.tries, self.told, self.silent = 0, list[str](), set[str]()
        self.looks: list[str] = []
        self._failures = failures
        self.link = ShareLink(self._open, self.told.append, pace, self._answers)

    def _open(self, on_news: Callable[[], None]) -> Tunnel:
        self.tries += 1
        if self.opened and self.tries <= 1 + self._failures:
            raise TunnelError("no network")
        self.opened.append(Tunnel(f"a-{len(self.opened)}"))
        return self.opened[-1]

    def _answers(self, address: str) -> bool:
        self.looks.append(address)
        return address not in self.silent

    def keep(self, until: Callable[[], bool]) -> None:
        keeping = threading.Thread(target=self.link.keep)
        keeping.start()
        for _ in range(2000):
            if until() or not keeping.is_alive():
                break
            time.sleep(0.005)
        self.link.close()
        keeping.join(10)
        assert not keeping.is_alive()


def test_a_tunnel_that_has_ended_is_opened_again() -> None:
    tunnels = Tunnels()
    tunnels.link.open()
    tunnels.opened[0].ended = True
    tunnels.keep(lambda: len(tunnels.told) == 2)
    assert tunnels.told == ["a-0", "a-1"] and tunnels.opened[1].ended, "closed with the link"


def test_an_address_that_no_longer_answers_is_replaced_after_some_looks() -> None:
    tunnels = Tunnels()
    tunnels.link.open()

    def until() -> bool:
        if len(tunnels.looks) >= 2:  # an expired link still has its process
            tunnels.silent.add("a-0")
        return len(tunnels.told) == 2

    tunnels.keep(until)
    assert tunnels.told == ["a-0", "a-1"] and tunnels.opened[0].ended
    assert tunnels.looks.count("a-0") >= 1 + QUICK.misses


def test_an_address_that_never_answered_is_left_alone() -> None:
    tunnels = Tunnels()
    tunnels.silent.add("a-0")
    tunnels.link.open()
    tunnels.keep(lambda: len(tunnels.looks) > 3 * QUICK.misses)
    assert tunnels.told == ["a-0"]


def test_a_client_that_connects_anew_by_itself_is_believed() -> None:
    tunnels = Tunnels()
    tunnels.link.open()
    tunnels.opened[0].address = "moved"
    tunnels.keep(lambda: "moved" in tunnels.looks)
    assert tunnels.told == ["a-0", "moved"] and len(tunnels.opened) == 1


def test_tries_are_repeated_while_there_is_no_network() -> None:
    tunnels = Tunnels(failures=4)
    tunnels.link.open()
    tunnels.opened[0].ended = True
    tunnels.keep(lambda: len(tunnels.told) == 2)
    assert tunnels.told == ["a-0", "a-1"] and tunnels.tries == 6


def test_tries_are_bounded_and_the_end_of_them_is_said(caplog: pytest.LogCaptureFixture) -> None:
    tunnels = Tunnels(failures=100)
    tunnels.link.open()
    tunnels.opened[0].ended = True
    tunnels.keep(lambda: False)  # ends by itself
    assert tunnels.tries == 1 + QUICK.tries and tunnels.told == ["a-0"]
    assert "could be opened in 6 tries; start the program again" in caplog.text


def test_a_link_that_drops_at_once_each_time_is_not_opened_without_end() -> None:
    tunnels = Tunnels()
    tunnels.link.open()
    tunnels.opened[0].ended = True

    def until() -> bool:
        tunnels.opened[-1].ended = True
        return False

    tunnels.silent = {f"a-{i}" for i in range(100)}
    tunnels.keep(until)
    assert tunnels.tries == 1 + QUICK.tries


def test_the_wait_grows_up_to_a_quarter_of_an_hour() -> None:
    waits = [Pace().wait(failures) for failures in range(Pace().tries)]
    assert waits[:5] == [0, 5, 10, 20, 40] and waits == sorted(waits)
    assert max(waits) == 900 and 12 * 3600 < sum(waits) < 36 * 3600


def test_the_first_link_has_one_try() -> None:
    def refuse(_: Callable[[], None]) -> Tunnel:
        raise TunnelError("no network")

    with pytest.raises(SimileError, match="no public link could be made"):
        ShareLink(refuse, lambda _: None).open()


# --- with the stand-in for Gradio's client


@pytest.fixture
def site() -> Iterator[int]:
    """The port of a small site that has /health, and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
            self.wfile.write(b'{"status": "ok", "collections": {}}' if self.path == "/health" else b"[]")

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, where Gradio keeps the client that it downloads."""
    monkeypatch.setattr(networking, "GRADIO_SHARE_SERVER_ADDRESS", "127.0.0.1:1")
    tunnel.install(tmp_path)
    path = tmp_path / "gradio" / "frpc" / tunneling.BINARY_FILENAME
    monkeypatch.setattr(tunneling, "BINARY_PATH", str(path))
    return path


def test_a_tunnel_that_dies_is_replaced_by_one_that_answers(site: int, client: Path, tmp_path: Path) -> None:
    opened: list[GradioTunnel] = []
    told: list[str] = []

    def open_tunnel(on_news: Callable[[], None]) -> GradioTunnel:
        opened.append(open_gradio_tunnel("127.0.0.1", site, tmp_path, on_news))
        return opened[-1]

    link = ShareLink(open_tunnel, told.append, Pace(check=60, first_wait=0.01))
    link.open()
    keeping = threading.Thread(target=link.keep)
    keeping.start()
    assert answers(told[0])
    assert opened[0].proc is not None
    os.kill(opened[0].proc.pid, signal.SIGKILL)
    for _ in range(1000):
        if len(told) == 2:
            break
        time.sleep(0.01)
    assert answers(told[1]) and not answers(told[0])
    link.close()
    keeping.join(10)
    assert not keeping.is_alive() and not answers(told[1])
    assert not any(one in tunneling.CURRENT_TUNNELS for one in opened)


def test_only_this_program_counts_as_an_answer(site: int) -> None:
    address = f"http://127.0.0.1:{site}"
    assert answers(address) and httpx.get(f"{address}/other").json() == []
    assert not answers(f"{address}/other") and not answers("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("prints", "said"),
    [("", "it said: nothing"), ("login to server failed: EOF", "login to server failed: EOF")],
)
def test_a_client_that_gives_no_address_is_an_error_at_once(
    site: int, client: Path, tmp_path: Path, prints: str, said: str
) -> None:
    client.write_text(f"#!{sys.executable}\nprint({prints!r})\n", "utf-8")
    client.chmod(client.stat().st_mode | stat.S_IEXEC)
    start = time.monotonic()
    with pytest.raises(TunnelError, match=said):
        open_gradio_tunnel("127.0.0.1", site, tmp_path, lambda: None)
    assert time.monotonic() - start < tunneling.TUNNEL_TIMEOUT_SECONDS / 2


def test_a_client_that_writes_much_and_connects_anew_is_read_on(
    site: int, client: Path, tmp_path: Path
) -> None:
    lines = "import time\nprint('start proxy success: http://one', flush=True)\n"
    lines += "print('x' * 300_000, flush=True)\nprint('start proxy success: http://two', flush=True)\n"
    client.write_text(f"#!{sys.executable}\n{lines}time.sleep(60)\n", "utf-8")
    client.chmod(client.stat().st_mode | stat.S_IEXEC)
    opened = open_gradio_tunnel("127.0.0.1", site, tmp_path, lambda: None)
    for _ in itertools.takewhile(lambda _: opened.address != "http://two", range(1000)):
        time.sleep(0.01)
    assert opened.address == "http://two" and not opened.ended
    opened.kill()
