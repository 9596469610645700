"""JSON from files and requests that anybody may have written."""

import json
from typing import Any

__all__ = ["parse_json"]


def parse_json(text: str | bytes) -> Any:
    """What `json.loads` returns; whatever is wrong with the text is a ValueError.

    Raises:
        ValueError: it is not JSON, not UTF-8, or nested more deeply than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
