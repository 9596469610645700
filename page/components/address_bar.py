"""Where Python tells the browser what the page's address is to be, and is told where the visitor has gone."""

import json
from typing import Any, Literal
from urllib.parse import parse_qsl

import gradio as gr

from page.theme import script

__all__ = ["Came", "address_bar", "address_of", "said"]

# By a new search, more hits of the same, or the address itself: the first makes an entry of the history.
# `again` asks the browser to tell its address.
Came = Literal["search", "more", "arrival", "again"]
_LONGEST = 8000  # characters of an address


def address_bar() -> gr.HTML:
    """The component: its value is of `said`, and `address_of` reads its `click` event."""
    return gr.HTML("", html_template="<i hidden></i>", js_on_load=script("address.js"), elem_id="address")


def said(link: str, came: Came = "search", tab: str = "", opened: str = "") -> str:
    """The value of the component.

    Args:
        link: of `address.link_to`.
        tab, opened: what an arrival has opened.
    """
    return json.dumps({"link": link, "came": came, "tab": tab, "open": opened})


def address_of(event: gr.EventData) -> list[tuple[str, str]] | None:
    """The parameters of the address that the visitor went to; None for anything that is no address."""
    data: Any = event._data if isinstance(event._data, dict) else {}
    text = data.get("address")
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    return parse_qsl(text.removeprefix("?"))
