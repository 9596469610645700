"""Numbers as a browser can hold them: JavaScript has 64-bit floats, which are exact up to 2^53."""

from typing import Any

from pipeline.fields import EXACT

__all__ = ["exact_json"]


def exact_json(value: Any) -> Any:
    """The same JSON with whole numbers above 2^53 as text, which filters take as well.

    >>> exact_json({"id": 1234567890123456789, "views": [7]})
    {'id': '1234567890123456789', 'views': [7]}
    """
    if isinstance(value, dict):
        return {key: exact_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact_json(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return str(value)
    return value
