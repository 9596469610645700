"""What a search changes on the Search tab."""

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from page.components.event_wiring import UNCHANGED
from page.shared_state import Searched

__all__ = ["MoreUpdate", "SearchUpdate"]


def _hidden() -> Any:
    return gr.update(visible=False)


@dataclass(frozen=True)
class SearchUpdate:
    """What a search changes. The default shows nothing and offers nothing."""

    status: Any = UNCHANGED
    grid: Any = ""
    cards: Any = field(default_factory=list)
    credit: Any = ""
    more: Any = field(default_factory=_hidden)
    export: Any = field(default_factory=_hidden)
    files: Any = field(default_factory=_hidden)
    examples: Any = field(default_factory=_hidden)
    closeness_view: Any = field(default_factory=_hidden)
    chips: Any = ""
    start: Any = field(default_factory=_hidden)
    searched: Searched | None = None
    address: Any = UNCHANGED


@dataclass(frozen=True)
class MoreUpdate:
    """What a longer list of hits changes."""

    status: Any = UNCHANGED
    grid: Any = UNCHANGED
    cards: Any = UNCHANGED
    more: Any = UNCHANGED
    address: Any = UNCHANGED
