"""How much a request may bring, and what is left of it afterwards."""

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from page.body_limit import MAX_BODY, MAX_VALUES, BodyLimit
from page.public_blocks import TOO_MUCH
from page.session_states import PageState, SessionStates
from page.shared_state import Query, QueryPicture
from tests.page.conftest import run_apart


def pieces(size: int) -> Iterator[bytes]:
    """A body without a `Content-Length`."""
    for _ in range(size // 1_000_000):
        yield bytes(1_000_000)


@pytest.mark.parametrize("login", [None, [("anna", "b")]])
def test_no_route_reads_more_than_it_needs(strangers: Any, login: Any) -> None:
    client, _ = strangers(auth=login)
    for path, most in (
        ("/gradio_api/call/search_image", MAX_BODY),
        ("/gradio_api/queue/join", MAX_BODY),
        ("/login", 100_000),
        ("/gradio_api/reset", 100_000),
    ):
        for body in (bytes(most + 1), pieces(most + 2_000_000)):
            kind = "application/x-www-form-urlencoded" if path == "/login" else "application/json"
            headers = {"Content-Type": kind}
            answer = client.post(path, content=body, headers=headers)
            assert answer.status_code == 413 and "send less" in answer.text, path
    assert client.post("/gradio_api/upload", content=bytes(MAX_BODY + 1)).status_code == 413
    false = client.post("/login", content=b"{}", headers={"Content-Length": "-1"})
    assert false.status_code == 413


def test_many_small_values_are_not_parsed(strangers: Any) -> None:
    client, _ = strangers()
    headers = {"Content-Type": "application/json"}
    for piece in (b"[],", b"{},", b"0,"):
        body = b'{"data": [' + piece * MAX_VALUES + b"0]}"
        answer = client.post("/gradio_api/call/collections", content=body, headers=headers)
        assert answer.status_code == 413 and "send less" in answer.text
    image = "data:image/png;base64," + "A" * 1_000_000
    assert client.post("/gradio_api/call/collections", json={"data": [image]}).status_code == 200


def test_a_body_that_breaks_off_is_no_error_of_the_page() -> None:
    """A server logs a traceback for whatever its app raises."""
    answers: list[Any] = []

    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await send({"type": "http.response.start"})

    async def half() -> Message:
        return {"type": "http.disconnect"}

    async def keep(message: Message) -> None:
        answers.append(message)

    for path in ("/gradio_api/upload", "/login", "/gradio_api/call/search"):
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        run_apart(BodyLimit(reads), scope, half, keep)
    assert answers == []


def test_a_program_leaves_nothing_behind(strangers: Any) -> None:
    client, page = strangers()
    for session in range(3):
        data = ["x" * 5_000_000, "things"]
        rest = ["cosine", 10, "{}", False, "", False, "", False, False, 0.0, 0]
        client.post("/gradio_api/call/search_image", json={"data": data + rest})
        sent = {"data": data, "session_hash": f"s{session}", "fn_index": _private(page)}
        body = {**sent, "event_data": None, "trigger_id": None}
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        said = client.get(f"/gradio_api/queue/data?session_hash=s{session}").text
        assert TOO_MUCH in said
    assert len(page.states.session_data) == 0
    eventually(lambda: not page._queue.event_ids_to_events)
    page.forget_unread(time.monotonic() + 60)
    assert not page._queue.pending_messages_per_session and not page._queue.pending_event_ids_session
    eventually(lambda: gc.collect() >= 0 and not any(isinstance(one, PageState) for one in gc.get_objects()))


def eventually(holds: Callable[[], bool]) -> None:
    """The queue ends an event a moment after its answer."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _private(page: Any) -> int:
    """An event of the page with two inputs."""
    return next(n for n, fn in page.fns.items() if fn.api_visibility == "private" and len(fn.inputs) == 2)


@pytest.fixture
def states(strangers: Any) -> tuple[SessionStates, list[float]]:
    """Three states at most, and their clock."""
    now = [0.0]
    return SessionStates(strangers()[1], capacity=3, clock=lambda: now[0]), now


def visit(states: SessionStates, session: str, value: Any) -> None:
    """An event that sets a state."""
    state = states[session]
    state.state_data[1] = value
    states.keep(session, state)


OWN = Query((QueryPicture("uploads/token/picture.png"),))


def test_strangers_with_new_names_do_not_take_a_visitors_query_away(
    states: tuple[SessionStates, list[float]],
) -> None:
    held, now = states
    held.opened("anna")
    visit(held, "anna", OWN)
    for stranger in range(520):
        visit(held, f"s{stranger}", OWN)
    assert held["anna"].state_data[1] == OWN and list(held.session_data) == ["anna"]
    now[0] = 60
    held.delete_all_expired_state()
    gc.collect()
    assert held["s519"].state_data == {}, "nothing of a program is kept"


def test_a_page_whose_heartbeat_comes_late_keeps_its_state(states: tuple[SessionStates, list[float]]) -> None:
    held, _ = states
    visit(held, "anna", "hits")
    held.opened("anna")
    assert held["anna"].state_data[1] == "hits" and "anna" in held.session_data


def test_closed_pages_go_first_then_the_oldest_idle_and_queries_stay(
    states: tuple[SessionStates, list[float]],
) -> None:
    held, now = states
    for session in ("a", "b", "c"):
        held.opened(session)
        visit(held, session, OWN)
    held.closed("b")
    held["a"]  # is used
    held.opened("d")
    visit(held, "d", OWN)
    assert list(held.session_data) == ["c", "a", "d"]
    held.opened("e")
    visit(held, "e", OWN)
    assert list(held.session_data) == ["a", "d", "e"]
    assert held["c"].state_data[1] == OWN, "what is searched from comes back"
    held.closed("a")
    now[0] = 3601
    held.delete_all_expired_state()
    assert list(held.session_data) == ["d", "e"]


def test_a_state_keeps_no_copy_of_what_was_sent(strangers: Any) -> None:
    _, page = strangers()
    state = PageState(page)
    component = next(iter(page.blocks))
    state._update_value_in_config(component, "x" * 1000)
    state._update_config(component)
    assert not state.config_values


def test_uploads_of_the_same_picture_are_two_files_with_names_that_nobody_knows(
    strangers: Any, tmp_path: Path
) -> None:
    client, _ = strangers()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "mine.png")
    data = (tmp_path / "mine.png").read_bytes()
    first, second = (
        client.post("/gradio_api/upload", files={"files": ("mine.png", data)}).json()[0] for _ in range(2)
    )
    assert first != second and len(Path(first).parent.name) >= 32
    for sent in (first, second):
        assert client.get(f"/gradio_api/file={sent}").content == data
