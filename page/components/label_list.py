"""What the box for words offers while somebody writes: the labels of the collection."""

import json

import gradio as gr

from page.theme import script
from page.wording import readable
from pipeline.search import Collection
from pipeline.search.label_words import labels_in

__all__ = ["label_list", "labels_json"]

_MOST = 1000  # names that are sent to a browser


def label_list() -> gr.HTML:
    """The component; its value is of `labels_json`."""
    return gr.HTML(
        "",
        html_template="<datalist id='word-list'></datalist>",
        js_on_load=script("words.js"),
        elem_id="labels",
    )


def labels_json(found: Collection) -> str:
    """The names of the labels as people write them, each once."""
    names = dict.fromkeys(readable(value) for _, value in labels_in(*found.live))
    return json.dumps([*names][:_MOST])
