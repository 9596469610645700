"""Reporting a picture: what the larger view offers for it, and how often one visitor may."""

import threading
import time
from collections.abc import Callable
from html import escape

import gradio as gr

from page.collection_library import CollectionLibrary
from page.components.cards import Card
from page.rate_limit import TokenBuckets, network_of
from pipeline.errors import SimileError
from pipeline.moderation.reports import REASONS

__all__ = ["REPORTS", "THANKS", "Reports", "report_html"]

_PREFIX = "report-"  # of the action of a button
REPORTS = tuple(f"{_PREFIX}{reason}" for reason in REASONS)
THANKS = "Thank you. Whoever runs this page sees the report."
TOO_MANY = "You have sent many reports; please wait a while, or write to whoever runs this page."
_HOURLY, _HOURLY_HERE = 10, 60  # reports of an address; of all who come through a tunnel or a proxy


def report_html() -> str:
    """A folded list of reasons, each a button of the larger view."""
    buttons = "".join(
        f'<button type="button" class="quiet" data-action="{_PREFIX}{reason}">{escape(words)}</button>'
        for reason, words in REASONS.items()
    )
    return f'<details class="report"><summary>Report this picture</summary>{buttons}</details>'


class Reports:
    """Takes reports of one page's visitors, some an hour from each address."""

    def __init__(self, library: CollectionLibrary, clock: Callable[[], float] = time.monotonic) -> None:
        self._library, self._clock, self._lock = library, clock, threading.Lock()
        self._buckets = TokenBuckets(_HOURLY / 3600, _HOURLY)
        self._here = TokenBuckets(_HOURLY_HERE / 3600, _HOURLY_HERE)

    def take(self, shown: Card, action: str, address: str | None) -> None:
        """Keeps the report, and thanks or says why not.

        Args:
            action: one of `REPORTS`.
            address: of the visitor.
        """
        try:
            self._admit(network_of(address))
            self._library.report(shown.collection, shown.id, action.removeprefix(_PREFIX))
        except SimileError as error:
            gr.Warning(escape(str(error)))
        else:
            gr.Info(THANKS)

    def _admit(self, network: str) -> None:
        with self._lock:
            buckets, now = self._here if network == "here" else self._buckets, self._clock()
            if buckets.wait(network, now):
                raise SimileError(TOO_MANY)
            buckets.take(network, now)
