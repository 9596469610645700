"""Copying the address of a search, with the visitor's own pictures in it if he says so."""

from datetime import datetime
from typing import Any

import gradio as gr

from page.own_uploads import OwnUploads
from page.shared_state import Query

__all__ = ["OWN_PICTURE", "LinkHandlers"]

OWN_PICTURE = (
    "Link copied, without your picture: whoever opens it cannot see that picture. If you include it, "
    "everybody with the link can, until it is deleted within a day."
)


class LinkHandlers:
    """Over the uploads of one page."""

    def __init__(self, uploads: OwnUploads) -> None:
        self._uploads = uploads

    def copied(self, query: Query | None) -> Any:
        """Says that the link was copied; offers to include the visitor's own pictures where it holds any."""
        if self._unshared(query):
            return gr.update(visible=True)
        gr.Info("Link copied")
        return gr.update(visible=False)

    def share(self, query: Query | None) -> Any:
        """Lets whoever has the link see the visitor's own pictures in it, and says until when."""
        ends = [end for one in self._unshared(query) if (end := self._share(one))]
        if ends:
            gr.Info(f"Link copied. It works until {min(ends):%A %d %B, %H:%M} UTC.")
        return gr.update(visible=False)

    def _unshared(self, query: Query | None) -> list[str]:
        """References of the uploads in a query that only their owner can see."""
        if query is None:
            return []
        references = (self._uploads.reference(one.file) for one in (*query.likes, *query.dislikes))
        return [one for one in references if one and not self._uploads.is_shared(one)]

    def _share(self, reference: str) -> datetime | None:
        return self._uploads.share(reference)
