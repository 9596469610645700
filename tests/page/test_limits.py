"""How much one visitor may ask, how many may wait, and what those who must wait are told."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from page.public_blocks import FULL, PublicBlocks, is_busy
from page.rate_limit import RateLimit, TokenBuckets, network_of
from pipeline.errors import SimileError
from tests.page.conftest import free_port, running, status


@pytest.mark.browser
@pytest.mark.long
def test_a_person_too_fast_is_told_to_wait_and_keeps_the_hits(browser: Any, demo_home: Path) -> None:
    # Few searches a minute: on a slow machine a click takes so long that twenty would never be too many.
    with running("--home", str(demo_home), "--limit", "8") as url:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(url)
        page.locator("#examples .open").first.click()
        # The first, as one click may ask for more than one thing.
        told = page.get_by_text("too many searches at once from your side; search again in").first
        page.get_by_text("More options").first.click()
        for name in ("Hamming", "cosine") * 30:
            status(page, "cosine" if name == "Hamming" else "Hamming")
            page.locator("#metric").get_by_text(name.capitalize()).click()
            page.locator("#status", has_text=name).or_(told).first.wait_for()
            if told.is_visible():
                break
        else:
            pytest.fail("nobody was told to wait")
        assert page.locator("#search-hits .card").count() == 24
        page.close()


def test_one_visitor_too_fast_is_told_to_wait(mcp_url: str) -> None:
    """20 a minute, 10 at once. Another session goes on."""
    eager = Client(mcp_url, verbose=False)
    said = []
    for _ in range(60):  # a slow machine is given more in the meantime
        try:
            eager.predict("wikiart", "style", api_name="/facets")
        except AppError as error:
            said.append(str(error))
            break
    assert said and "too many searches" in said[0] and "second" in said[0]
    assert Client(mcp_url, verbose=False).predict("wikiart", "style", api_name="/facets")["values"]


def test_a_bucket_fills_again() -> None:
    bucket = TokenBuckets(rate=2, burst=3)
    for _ in range(3):
        assert bucket.wait("a", 10.0) == 0
        bucket.take("a", 10.0)
    assert bucket.wait("a", 10.0) == 0.5 and bucket.wait("b", 10.0) == 0
    assert bucket.wait("a", 10.25) == 0.25 and bucket.wait("a", 10.5) == 0
    bucket.take("a", 1000.0)
    assert bucket.wait("a", 1000.0) == 0, "never more than the burst, but that"


def test_buckets_remember_a_bounded_number() -> None:
    bucket = TokenBuckets(rate=1, burst=1, most=100)
    for visitor in range(1000):
        bucket.take(str(visitor), 0.0)
    assert len(bucket) == 100 and bucket.wait("999", 0.0) == 1


def test_new_sessions_do_not_get_round_the_limit_of_an_address() -> None:
    visitors = RateLimit(per_minute=4, clock=lambda: 0.0)  # 2 at once, 20 for an address
    for session in range(20):
        visitors.admit("192.0.2.7", str(session))
    with pytest.raises(SimileError, match=r"in \d+ seconds"):
        visitors.admit("192.0.2.7", "another")
    visitors.admit("192.0.2.8", "another")
    for session in range(20):  # as a tunnel brings them
        visitors.admit("127.0.0.1", str(session))
    with pytest.raises(SimileError, match=r"in \d+ seconds"):
        visitors.admit("127.0.0.1", "another")
    for _ in range(500):
        RateLimit(0).admit("192.0.2.7", "a")


def test_neither_programs_nor_files_take_what_open_pages_have() -> None:
    """Of 4 a minute, a tunnel brings 20 at once by pages, 20 as files, and 4 by programs."""
    visitors = RateLimit(per_minute=4, clock=lambda: 0.0)
    for session in range(4):
        visitors.admit("127.0.0.1", f"program {session}", caller="program")
    for _ in range(20):
        visitors.admit("127.0.0.1", None, caller="file")
    for caller in ("program", "file"):
        with pytest.raises(SimileError, match="too many searches"):
            visitors.admit("127.0.0.1", "another", caller=caller)
    for session in range(20):
        visitors.admit("127.0.0.1", str(session))
    for _ in range(20):  # with an address of its own
        visitors.admit("192.0.2.7", None, caller="program")


def test_an_ipv6_household_is_one_visitor() -> None:
    assert network_of("2001:db8:1:2::5") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::")
    assert network_of("::ffff:127.0.0.1") == network_of("::1") == "here" and network_of(None) == "unknown"


def test_what_costs_more_than_one_may_hold_is_admitted_and_then_paid_for() -> None:
    now = [0.0]
    visitors = RateLimit(per_minute=120, clock=lambda: now[0])  # 60 at once, 2 a second
    visitors.admit("192.0.2.7", "a", cost=64)
    with pytest.raises(SimileError, match="in 3 seconds"):
        visitors.admit("192.0.2.7", "a")
    now[0] = 2.5
    visitors.admit("192.0.2.7", "a")


def call(client: Any, endpoint: str, *values: Any, **body: Any) -> str:
    """An endpoint as a program calls it over HTTP: the text of its events, or of the refusal."""
    asked = client.post(f"/gradio_api/call/{endpoint}", json={"data": list(values), **body})
    if asked.status_code != 200:
        return asked.text
    return client.get(f"/gradio_api/call/{endpoint}/{asked.json()['event_id']}").text


def test_every_endpoint_counts_and_a_new_session_a_call_does_not_help(strangers: Any) -> None:
    """6 a minute: 3 at once for a session, 6 for all programs that come through a tunnel."""
    client, page = strangers(limit=6)
    answers = [call(client, "collections", session_hash=str(number)) for number in range(7)]
    assert all("complete" in answer for answer in answers[:6])
    assert "too many searches" in answers[6]
    page.states.opened("a page")
    assert "complete" in call(client, "collections", session_hash="a page")


def test_sixty_four_pictures_count_as_sixty_four(strangers: Any) -> None:
    client, _ = strangers(limit=60)  # 30 at once for a session, 60 for programs through a tunnel
    ids = ["00000000-0000-0000-0000-000000000007"] * 64
    values = [ids, "things", [], 10, "{}", "any", 0.0, False, "{}", "{}", "", 0]
    assert "too many" not in call(client, "recommend", *values)
    assert "too many searches" in call(client, "collections")


def test_eight_pictures_are_decoded_in_one_search(strangers: Any) -> None:
    client, _ = strangers()
    for count, said in ((8, "collection 'things' does not exist"), (9, "at most 8 pictures of your own")):
        values = [["aGVsbG8="] * count, "things", [], 10, "{}", "any", 0.0, False, "{}", "{}", "", 0]
        assert said in call(client, "recommend", *values).lower()


def test_no_program_passes_by_the_queue(strangers: Any) -> None:
    client, _ = strangers()
    for route in ("run", "api"):
        assert client.post(f"/gradio_api/{route}/collections", json={"data": []}).status_code == 404


@pytest.fixture
def crowded() -> Iterator[str]:
    """A page that works on one event at a time, and whose queue holds one more."""
    over = threading.Event()
    with PublicBlocks(analytics_enabled=False) as blocks:
        shown = gr.HTML()
        slow = {"concurrency_limit": 1, "show_progress": "minimal", "show_progress_on": shown}
        gr.Button("Search").click(lambda: str(over.wait(600)), None, shown, api_name="slow", **slow)
    port = free_port()
    blocks.queue(max_size=1).launch(server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield f"http://127.0.0.1:{port}"
    over.set()
    blocks.close(verbose=False)


@pytest.mark.long
@pytest.mark.browser
def test_the_queue_says_where_one_is_and_that_it_is_full(browser: Any, crowded: str) -> None:
    pages = [browser.new_page() for _ in range(3)]
    for page in pages:
        page.set_default_timeout(120_000)
        page.goto(crowded)
    for page, told in zip(pages, ("processing", "queue: 1/1", "currently busy"), strict=True):
        page.get_by_role("button", name="Search").click()
        page.get_by_text(told).wait_for()
    with pytest.raises(urllib.error.HTTPError) as refused:
        _post(f"{crowded}/gradio_api/call/slow")
    assert refused.value.code == 503 and FULL in refused.value.read().decode()
    for page in pages:
        page.close()


def _post(url: str) -> None:
    """A call of a program that is written without gradio_client, which has its own words for a full queue."""
    request = urllib.request.Request(url, b'{"data": []}', {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def test_gradio_makes_no_table_of_the_last_events() -> None:
    """Its own summary costs each event milliseconds, and more the more events there were."""
    with PublicBlocks() as page:
        gr.Button("Search")
    queue = page.queue()._queue
    queue.events_recorded = 5
    event = {"function": "find", "status": "success", "process_time": 1.0}
    assert queue.compute_analytics_summary([event] * 5) == {"functions": {}}
    assert queue.ANALYTICS_MAX_EVENTS == 0 and not is_busy(page)
