"""Gradio's Blocks, made fit for strangers: uploads only, a bounded queue, a limit for each visitor."""

from typing import Any

import gradio as gr

from page.uploads import UploadsOnly
from page.visitors import Visitors, is_counted
from pipeline.errors import SimileError

__all__ = ["MAX_WAITING", "PublicBlocks"]

MAX_WAITING = 64  # events in the queue; at a few a second the last one waits about half a minute
FULL = "too many people are searching right now; try again in a few seconds"


class PublicBlocks(UploadsOnly):
    """Counts searches, and says in a sentence that the queue is full."""

    def __init__(self, *args: Any, visitors: Visitors | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._visitors = visitors or Visitors()

    async def process_api(  # type: ignore[override]
        self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Refuses a search that is one too many; everything else goes on as it was."""
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        if is_counted(function.fn):
            one = request[0] if isinstance(request, list) and request else request
            client = getattr(one, "client", None)
            session = kwargs.get("session_hash") or getattr(one, "session_hash", None)
            try:
                self._visitors.admit(getattr(client, "host", None), session)
            except SimileError as error:
                raise gr.Error(str(error), print_exception=False) from None
        return await super().process_api(block_fn, inputs, state, request, **kwargs)

    def queue(self, *args: Any, **kwargs: Any) -> "PublicBlocks":
        """Gradio's queue, whose refusal people understand."""
        super().queue(*args, **kwargs)
        push = self._queue.push

        async def polite(*args: Any, **kwargs: Any) -> Any:
            done, said, state = await push(*args, **kwargs)
            return done, FULL if state == "queue_full" else said, state

        self._queue.push = polite  # type: ignore[method-assign]
        return self
