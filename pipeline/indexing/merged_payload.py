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
    names = dict.fromkeys(name for row in rows for name in row)  # another source has other columns
    merged = {name: _merged([row.get(name) for row in rows]) for name in names}
    return json.dumps(merged, ensure_ascii=False)


def _merged(values: list[Any]) -> Any:
    """The values of one field; objects are not taken apart, so of them the first counts."""
    there = [value for value in values if value is not None]
    if not there or isinstance(there[0], dict):
        return next(iter(there), None)
    flat = [each for value in there for each in (value if isinstance(value, list) else [value])]
    distinct = list({_key(each): each for each in flat}.values())
    return distinct if len(distinct) > 1 or any(isinstance(value, list) for value in there) else distinct[0]


def _key(value: Any) -> Any:
    """Alike for values that are one for a filter, such as 1 and 1.0; Python also takes 1 for True."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else json.dumps(value)
