"""One payload for a picture that stands in several rows: it is found by what each of them says."""

import json
from typing import Any

__all__ = ["merged_payload"]


def merged_payload(payloads: list[str]) -> str:
    """What several rows say of one picture: values that differ become a list, in the order of the rows.

    Args:
        payloads: JSON objects.

    >>> merged_payload(['{"label": "cats", "year": 1990}', '{"label": "favourites", "year": null}'])
    '{"label": ["cats", "favourites"], "year": 1990}'
    """
    if len(set(payloads)) == 1:
        return payloads[0]
    rows = [json.loads(payload) for payload in payloads]
    merged = {name: _merged([row[name] for row in rows]) for name in rows[0]}
    return json.dumps(merged, ensure_ascii=False)


def _merged(values: list[Any]) -> Any:
    """The values of one field; objects are not taken apart, so of them the first counts."""
    there = [value for value in values if value is not None]
    if not there or isinstance(there[0], dict):
        return next(iter(there), None)
    flat = [each for value in there for each in (value if isinstance(value, list) else [value])]
    distinct = list({json.dumps(each): each for each in flat}.values())
    return distinct if len(distinct) > 1 or isinstance(there[0], list) else distinct[0]
