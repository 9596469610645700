"""What a Qdrant 1.19 refuses, with its own status and words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qdrant_client import models
from qdrant_client.local.json_path_parser import parse_json_path

__all__ = ["BODY_BYTES", "Refusal", "check_paths", "check_strictness", "exists_already", "not_found"]

BODY_BYTES = 32 * 2**20


@dataclass
class Refusal(Exception):  # noqa: N818 (an answer)
    """An answer that is no result. `status` 0: the connection is closed without an answer."""

    status: int
    error: str

    @property
    def body(self) -> dict[str, Any]:
        return {"status": {"error": self.error}, "time": 0.0001}


def not_found(name: str) -> Refusal:
    return Refusal(404, f"Not found: Collection `{name}` doesn't exist!")


def exists_already(name: str, kind: str = "Collection") -> Refusal:
    return Refusal(409, f"Wrong input: {kind} `{name}` already exists!")


def check_paths(body: Any) -> None:
    """Field names are JSON paths wherever a request has one: letters, digits, _ and -, or quoted."""
    for path in _paths(body):
        try:
            parse_json_path(path)
        except ValueError:
            raise Refusal(400, f"Format error in JSON body: Invalid json path: '{path}'") from None


def _paths(body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        return
    if isinstance(body.get("field_name"), str):
        yield body["field_name"]
    if isinstance(body.get("key"), str):  # of a facet
        yield body["key"]
    if isinstance(body.get("with_payload"), list):
        yield from body["with_payload"]
    for search in body.get("searches", ()):
        yield from _paths(search)
    yield from filtered(body.get("filter"))


def filtered(condition: Any) -> Iterator[str]:
    """Every field that a filter, as JSON, asks about."""
    if isinstance(condition, list):
        for each in condition:
            yield from filtered(each)
    elif isinstance(condition, dict):
        if isinstance(condition.get("key"), str):
            yield condition["key"]
        for part in ("must", "must_not", "should", "nested", "filter", "min_should", "conditions"):
            yield from filtered(condition.get(part))


def check_strictness(
    strict: models.StrictModeConfig | None,
    path: str,
    body: dict[str, Any],
    indexed: set[str],
    scanned: set[str],
) -> None:
    """Refuse what strict mode forbids.

    Args:
        strict: of the collection; None: nothing is forbidden.
        path: of the request, below the collection.
        body: its JSON.
        indexed: fields with a payload index.
        scanned: vectors without a graph.
    """
    if strict is None or strict.enabled is False:
        return
    _check_sizes(strict, path, body)
    reads = path in ("query", "query/batch", "scroll", "count", "facet")
    for search in body.get("searches", [body]):
        _check_search(strict, path, search)
        if search.get("using") in scanned and strict.search_allow_exact is False:
            raise Refusal(
                400, "Wrong input: Request is forbidden: global vector indexing is disabled (m = 0)"
            )
    admits = strict.unindexed_filtering_retrieve if reads else strict.unindexed_filtering_update
    # Between quotes or not, a plain name is the same path.
    missing = sorted(
        {field.strip('"') for field in filtered(body.get("filter"))} - {each.strip('"') for each in indexed}
    )
    if admits is False and missing:
        raise Refusal(
            400,
            f'Wrong input: Index required but not found for "{missing[0]}" of one of the following types: '
            "[keyword]. Help: Create an index for this key or use a different filter.",
        )


def _check_sizes(strict: models.StrictModeConfig, path: str, body: dict[str, Any]) -> None:
    written = body.get("points") or body.get("batch", {}).get("ids", ())
    for name, rows, allowed in (
        ("upsert limit", written if path == "points" else (), strict.upsert_max_batchsize),
        ("search batch size", body.get("searches", ()), strict.search_max_batchsize),
    ):
        if allowed is not None and len(rows) > allowed:
            raise Refusal(
                400, f'Wrong input: Limit exceeded {len(rows)} > {allowed} for "{name}". Help: Reduce.'
            )


def _check_search(strict: models.StrictModeConfig, path: str, search: dict[str, Any]) -> None:
    params = search.get("params") or {}
    limit, exact = search.get("limit"), params.get("exact", search.get("exact", False))
    if path in ("query", "query/batch", "facet") and exact and strict.search_allow_exact is False:
        raise Refusal(400, "Wrong input: Exact search disabled! Help: Set exact=false.")
    limits = {
        "limit": (limit, strict.max_query_limit),
        "hnsw_ef": (params.get("hnsw_ef"), strict.search_max_hnsw_ef),
        "oversampling": (
            (params.get("quantization") or {}).get("oversampling"),
            strict.search_max_oversampling,
        ),
    }
    for name, (asked, allowed) in limits.items():
        if asked is not None and allowed is not None and asked > allowed:
            raise Refusal(
                400, f'Wrong input: Limit exceeded {asked} > {allowed} for "{name}". Help: Reduce it.'
            )
