"""Values that no page sends, to events and endpoints: a sentence in the answer, and no traceback."""

import json
from typing import Any

import pytest

from page.uploads import WRONG_VALUES

DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]
ODD = (
    None,
    "x",
    -1,
    1e308,
    True,
    [],
    {},
    DEEP,
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
)


def happened(client: Any, function: Any, values: list[Any], session: str) -> str:
    """The last event of a call by number, as a page makes it."""
    asked = {"data": values, "fn_index": function._id, "session_hash": session, "trigger_id": 0}
    joined = client.post("/gradio_api/queue/join", json=asked)
    assert joined.status_code == 200, joined.text
    lines = client.get(f"/gradio_api/queue/data?session_hash={session}").text.splitlines()
    return next(line for line in lines if '"process_completed"' in line)


def test_no_event_leaves_a_traceback(strangers: Any, capfd: pytest.CaptureFixture[str]) -> None:
    client, page = strangers()
    functions = list(page.fns.values())
    assert len(functions) > 50
    for number, function in enumerate(functions):
        few, odd = [None] * (len(function.inputs) - 1), ODD[number % len(ODD)]
        happened(client, function, [odd] * len(function.inputs), f"odd{number}")
        if function.inputs and function.api_visibility == "public":
            told = json.loads(happened(client, function, few, f"few{number}")[6:])
            assert told["output"]["error"] == WRONG_VALUES
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("body", ["[" * 90_000, "{}", '{"data": null}', '{"data": 1}', "[]", "\0", '"x"'])
def test_no_body_leaves_a_traceback(strangers: Any, body: str, capfd: pytest.CaptureFixture[str]) -> None:
    client, _ = strangers()
    for path in ("queue/join", "call/collections", "call/nothing", "reset", "cancel"):
        headers = {"Content-Type": "application/json"}
        answer = client.post(f"/gradio_api/{path}", content=body, headers=headers)
        assert answer.status_code < 500
    for number in (-1, 99_999, None, "x", 1e308):
        asked = {"data": [], "fn_index": number, "session_hash": "a", "trigger_id": 0}
        answer = client.post("/gradio_api/queue/join", json=asked)
        assert answer.status_code < 500
    assert "Traceback" not in "".join(capfd.readouterr())
