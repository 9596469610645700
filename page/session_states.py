"""What the page keeps for each visitor between two events, and for whom it keeps nothing.

A session is named by whoever calls. Gradio keeps a state for every name, and drops the oldest when there are
too many, so that a program with new names can wipe what visitors have. Here a state is kept only for an open
page: one that holds its heartbeat, a connection that lasts as long as the page. What a visitor searches from
is a few hundred bytes, and outlives the rest of the state.
"""

import re
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable
from copy import copy
from typing import Any

from cachetools import LRUCache
from gradio.state_holder import SessionState, StateHolder
from starlette.types import ASGIApp, Receive, Scope, Send

from page.shared_state import Query

__all__ = ["HeartbeatWatch", "PageState", "SessionStates"]

CAPACITY = 500  # states; some 100 kB each
_AFTER_CLOSE = 3600.0  # seconds that a closed page may be opened again
_MOST_WAITING, _WAIT = 64, 30.0  # states, and seconds, of pages whose heartbeat is still on its way
_MOST_QUERIES = 5000  # of visitors whose state was dropped; about 1 kB each
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)/?")


class PageState(SessionState):
    """A session state without the copy of the whole configuration that Gradio keeps for its deep links.

    That copy holds every value that was ever sent, up to the size of a request for each component.
    """

    def __init__(self, blocks: Any) -> None:  # not of the base class, which makes that copy
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = int(_AFTER_CLOSE)

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        (self.state_data if block is not None and block.stateful else self.blocks_config.blocks)[key] = value

    def _update_config(self, key: int) -> None:
        """Nothing to do, as there is no copy."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing to do, as there is no copy."""

    @property
    def queries(self) -> dict[int, Query]:
        """What is searched from, by the number of its component."""
        return {key: value for key, value in self.state_data.items() if isinstance(value, Query) and value}


class SessionStates(StateHolder):
    """Gradio's holder of states, for open pages only. Closed pages go first, and then the oldest idle one."""

    def __init__(
        self, blocks: Any, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.set_blocks(blocks)
        self.capacity = capacity
        self._clock = clock
        self._in_use: weakref.WeakValueDictionary[str, PageState] = weakref.WeakValueDictionary()
        self._waiting: OrderedDict[str, tuple[PageState, float]] = OrderedDict()
        self._open: Counter[str] = Counter()  # heartbeats
        self._closed: dict[str, float] = {}  # session with a state -> when its page was closed
        self._queries: LRUCache[str, dict[int, Query]] = LRUCache(_MOST_QUERIES)

    def __getitem__(self, session_id: str) -> PageState:
        """The state of a session. An unknown one gets a new one, which is forgotten unless it is kept."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
                return self.session_data[session_id]  # type: ignore[return-value]
            waiting = self._waiting.get(session_id)
            state = waiting[0] if waiting else self._in_use.get(session_id)
            if state is None:
                state = PageState(self.blocks)
                state.state_data.update(self._queries.get(session_id, {}))
                self._in_use[session_id] = state
            return state

    def keep(self, session_id: str, state: SessionState) -> None:
        """Keeps what an event has left in a state, if the session is that of a page."""
        if not isinstance(state, PageState) or all(value is None for value in state.state_data.values()):
            return
        with self.lock:
            if session_id in self.session_data:
                return
            if session_id in self._open:
                self._admit(session_id, state)
            else:  # the first event of a page may be faster than its heartbeat
                self._waiting[session_id] = (state, self._clock())
                while len(self._waiting) > _MOST_WAITING:
                    self._waiting.popitem(last=False)

    def opened(self, session_id: str) -> None:
        """A page has begun its heartbeat."""
        with self.lock:
            self._open[session_id] += 1
            self._closed.pop(session_id, None)
            if session_id in self.session_data:
                self.session_data[session_id].is_closed = False
            elif waiting := self._waiting.pop(session_id, None):
                self._admit(session_id, waiting[0])

    def is_open(self, session_id: str | None) -> bool:
        """Whether a page with this session is open now."""
        with self.lock:
            return session_id in self._open

    def closed(self, session_id: str) -> None:
        """A heartbeat has ended."""
        with self.lock:
            self._open[session_id] -= 1
            if self._open[session_id] <= 0:
                del self._open[session_id]
                if session_id in self.session_data:
                    self._closed[session_id] = self._clock()

    def delete_all_expired_state(self) -> None:
        """Forgets pages that were closed an hour ago, and states whose heartbeat never came."""
        now = self._clock()
        with self.lock:
            for session_id, (_, since) in list(self._waiting.items()):
                if now - since > _WAIT:
                    del self._waiting[session_id]
            for session_id, since in list(self._closed.items()):
                if now - since > _AFTER_CLOSE:
                    self._drop(session_id)

    def _admit(self, session_id: str, state: PageState) -> None:
        self.session_data[session_id] = state
        while len(self.session_data) > self.capacity:
            oldest = next((one for one in self.session_data if one not in self._open), None)
            self._drop(oldest or next(iter(self.session_data)))

    def _drop(self, session_id: str) -> None:
        state = self.session_data.pop(session_id)
        self._closed.pop(session_id, None)
        assert isinstance(state, PageState)
        if state.queries:
            self._queries[session_id] = state.queries


class HeartbeatWatch:
    """ASGI middleware that tells the states which pages are open.

    Args:
        states: of the page; None before it has started.
    """

    def __init__(self, app: ASGIApp, states: Callable[[], SessionStates | None]) -> None:
        self._app, self._states = app, states

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes every request on, and watches the heartbeats."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        found, states = _HEARTBEAT.fullmatch(path), self._states()
        if found is None or states is None:
            await self._app(scope, receive, send)
            return
        states.opened(found[1])
        try:
            await self._app(scope, receive, send)
        finally:
            states.closed(found[1])
