"""What a server says of memory, in whatever form: found where it is told, unknown where it is not."""

from typing import Any

import pytest

from pipeline.store.protocol import Resident
from pipeline.store.server_memory import payload_index_bytes, resident_bytes

PART = {
    "storage": {"ram_bytes": 7, "disk_bytes": 1000},
    "quantized": {"ram_bytes": 36, "disk_bytes": 36},
    "index": {"ram_bytes": 1, "cache_bytes": 77, "disk_bytes": 77},
}
FIELDS = {"label": {"ram_bytes": 14}, "year": {"ram_bytes": 59, "disk_bytes": 9}}


@pytest.mark.parametrize(
    "told",
    [
        {"result": {"vectors": {"cnn": PART}, "payload_indexes": FIELDS}},
        {
            "segments": {
                "vectors": [{"name": "cnn", **PART}],
                "payload": {"ram_bytes": 5},
                "payload_index": [{"field": name, **size} for name, size in FIELDS.items()],
            }
        },
    ],
)
def test_codes_graphs_and_payload_indexes_are_found(told: Any) -> None:
    assert resident_bytes(told, ["cnn"]) == {"cnn": Resident(codes=36, links=78)}
    assert payload_index_bytes(told, ["label", "year"]) == 73


@pytest.mark.parametrize("told", [None, {}, [], "x", {"vectors": {"other": PART}}, {"vectors": {"cnn": {}}}])
def test_what_is_not_told_is_unknown(told: Any) -> None:
    assert resident_bytes(told, ["cnn"]) is None
    assert payload_index_bytes(told, ["label"]) is None


def test_no_fields_take_nothing() -> None:
    assert payload_index_bytes(None, []) == 0
