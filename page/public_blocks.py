"""Blocks for a page that strangers visit: each event is counted and bounded, whichever way it comes in."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState

from page.metrics import REFUSALS, SEARCHES
from page.own_uploads import OwnUploads
from page.pixel_budget import VISITORS
from page.rate_limit import Caller, RateLimit, cost_of
from page.session_states import SessionStates
from page.uploads import WRONG_VALUES, UploadsOnly
from pipeline.errors import SimileError
from pipeline.images import decoding_within

__all__ = ["FULL", "TOO_MUCH", "PublicBlocks", "is_busy"]

FULL = "too many people are searching right now; try again in a few seconds"
TOO_MUCH = "the page sends no request this large; send pictures by the upload or the endpoints for programs"
_MOST_SENT = 1_000_000  # characters and values of an event of the page; pictures come in by the upload
_UNREAD = 30.0  # seconds that an answer waits to be fetched


class PublicBlocks(UploadsOnly):
    """Limits how often each visitor searches and what an event costs, and says when the queue is full."""

    def __init__(self, *args: Any, rate_limit: RateLimit | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rate_limit = rate_limit or RateLimit()
        self.own_uploads = OwnUploads()
        self.states: SessionStates | None = None
        self._asked: dict[str, float] = {}  # session -> when it asked last, by the clock of `time.monotonic`

    async def process_api(  # type: ignore[override]
        self,
        block_fn: Any,
        inputs: list[Any],
        state: SessionState | None = None,
        request: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Refuses an event that exceeds the visitor's limit; keeps its state for an open page only."""
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        if not function.fn:  # the browser alone does this
            raise gr.Error(WRONG_VALUES, print_exception=False)
        session = kwargs.get("session_hash")
        self._admit(function, inputs, state, request, session)
        endpoint = function.api_name if function.api_visibility == "public" else "page"
        timed = SEARCHES.labels(endpoint).time() if cost_of(function.fn, ()) >= 1 else nullcontext()
        with timed, decoding_within(VISITORS):
            answer = await super().process_api(block_fn, inputs, state, request, **kwargs)
        if session and state and self.states:
            self.states.keep(session, state)
        return answer

    def _admit(self, function: Any, inputs: list[Any], state: Any, request: Any, session: str | None) -> None:
        if function.api_visibility == "private" and _is_more_than(inputs, _MOST_SENT):
            raise gr.Error(TOO_MUCH, print_exception=False)
        one = request[0] if isinstance(request, list) and request else request
        client = getattr(one, "client", None)
        values = [
            state[block._id] if block.stateful and state else value
            for block, value in zip(function.inputs, inputs, strict=False)
        ]
        cost = cost_of(function.fn, values)
        # The first events of a page may be faster than its heartbeat; they are no searches.
        is_page = cost < 1 or (self.states is not None and self.states.is_open(session))
        try:
            caller: Caller = "page" if is_page else "program"
            self.rate_limit.admit(getattr(client, "host", None), session, cost, caller)
        except SimileError as error:
            REFUSALS.labels("too_many_searches").inc()
            raise gr.Error(str(error), print_exception=False) from None

    def keep_states(self, app: Any) -> None:
        """Puts the page's own holder of states in the place of Gradio's; called before the first request."""
        self.states = app.state_holder = SessionStates(self)

    def queue(self, *args: Any, **kwargs: Any) -> "PublicBlocks":
        """Gradio's queue, with a refusal in plain words when it is full, and without its statistics."""
        super().queue(*args, **kwargs)
        _keep_no_statistics(self._queue)
        push = self._queue.push

        async def polite(*args: Any, **kwargs: Any) -> Any:
            body = kwargs["body"]
            if body.fn_index not in self.fns:
                return False, WRONG_VALUES, "error"
            done, said, state = await push(*args, **kwargs)
            if done:
                self._asked[body.session_hash] = time.monotonic()
            if state == "queue_full":
                REFUSALS.labels("queue_full").inc()
                said = FULL
            return done, said, state

        self._queue.push = polite  # type: ignore[method-assign]
        return self

    def forget_unread(self, now: float) -> None:
        """Forgets answers that nobody has fetched; Gradio keeps those of the last 2,000 sessions.

        Args:
            now: by the clock of `time.monotonic`.
        """
        at_work = {event.session_hash for event in list(self._queue.event_ids_to_events.values())}
        for session, asked in list(self._asked.items()):
            if session in at_work or now - asked < _UNREAD:
                continue
            del self._asked[session]
            self._queue.pending_messages_per_session.pop(session, None)
            self._queue.pending_event_ids_session.pop(session, None)


def is_busy(page: gr.Blocks) -> bool:
    """Whether events wait in the queue of a page."""
    return len(page._queue) > 0


def _keep_no_statistics(queue: Any) -> None:
    """Spares what Gradio does for its monitoring page, which is closed here.

    After each event it makes a table in pandas of the last 10,000 events: 5 ms and more of a search.
    """
    queue.ANALYTICS_MAX_EVENTS = 0
    queue.compute_analytics_summary = lambda _: queue.cached_event_analytics_summary


def _is_more_than(values: Sequence[Any], most: int) -> bool:
    """Whether there are more characters and values than `most`, however deep they are nested."""
    waiting: list[Any] = [values]
    while waiting and most >= 0:
        value = waiting.pop()
        most -= 1
        if isinstance(value, str):
            most -= len(value)
        elif isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return most < 0
