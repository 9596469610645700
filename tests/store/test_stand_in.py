"""The stand-in refuses what a Qdrant 1.19 refuses, with its status and its words."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from qdrant_client import models

from tests.stand_ins.qdrant import QdrantStandIn

VECTOR = {"v": {"size": 2, "distance": "Dot"}}
POINTS = [
    {"id": at + 1, "vector": {"v": [1.0, at]}, "payload": {"label": "a", "exif": {"make": "b"}}}
    for at in range(4)
]


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    with QdrantStandIn() as started:
        told(started, "PUT", "/collections/things", {"vectors": VECTOR, "metadata": {"a": 1, "b": 2}})
        told(started, "PUT", "/collections/things/points", {"points": POINTS})
        yield started


def told(server: QdrantStandIn, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status, and the result or the words of the error."""
    answer = httpx.request(method, server.urls[0] + path, json=body)
    framed = answer.json()
    return answer.status_code, framed["result"] if answer.is_success else framed["status"]["error"]


def filtered(field: str) -> dict[str, Any]:
    return {"filter": {"must": [{"key": field, "match": {"value": "a"}}]}, "exact": True}


@pytest.mark.parametrize("field", ["Shot by", "Unnamed: 0", "it's", "a/b", "back\\slash", 'a"b', ""])
def test_names_that_are_no_json_path_are_refused(server: QdrantStandIn, field: str) -> None:
    for path, body in (
        ("points/count", filtered(field)),
        ("facet", {"key": field}),
        ("points/scroll", {"with_payload": [field]}),
    ):
        status, said = told(server, "POST", f"/collections/things/{path}", body)
        assert status == 400 and "Invalid json path" in said


@pytest.mark.parametrize("field", ["exif.make", "a[0]", "tags[]", '"quoted"'])
def test_names_that_are_another_json_path_find_nothing(server: QdrantStandIn, field: str) -> None:
    assert told(server, "POST", "/collections/things/points/count", filtered(field)) == (200, {"count": 0})


def test_what_is_there_or_is_not(server: QdrantStandIn) -> None:
    exists = (409, "Wrong input: Collection `things` already exists!")
    assert told(server, "PUT", "/collections/things", {"vectors": VECTOR}) == exists
    assert told(server, "GET", "/collections/x") == (404, "Not found: Collection `x` doesn't exist!")
    assert told(server, "DELETE", "/collections/x") == (200, False)


def test_metadata_changes_by_whole_keys(server: QdrantStandIn) -> None:
    told(server, "PATCH", "/collections/things", {"metadata": {"a": None, "b": {"c": 3}}})
    assert told(server, "GET", "/collections/things")[1]["config"]["metadata"] == {"b": {"c": 3}}


def test_a_large_body_is_refused(server: QdrantStandIn) -> None:
    status, said = told(server, "PUT", "/collections/things/points", {"points": ["x" * (33 * 2**20)]})
    assert status == 400 and "larger than allowed (limit: 33554432 bytes)" in said


@pytest.mark.parametrize(
    ("strict", "path", "body", "said"),
    [
        ({"unindexed_filtering_retrieve": False}, "points/count", filtered("label"), "Index required but"),
        ({"unindexed_filtering_update": False}, "points/delete", filtered("label"), "Index required but"),
        ({"search_allow_exact": False}, "points/query", {"params": {"exact": True}}, "Exact search disabled"),
        ({"max_query_limit": 100}, "facet", {"key": "label", "limit": 200}, "Limit exceeded 200 > 100"),
        (
            {"search_max_hnsw_ef": 64}, "points/query", {"params": {"hnsw_ef": 128}},
            "Limit exceeded 128 > 64",
        ),
        (
            {"search_max_oversampling": 2}, "points/query",
            {"params": {"quantization": {"oversampling": 4}}}, "Limit exceeded 4 > 2",
        ),
    ],
)  # fmt: skip
def test_strict_mode(server: QdrantStandIn, strict: Any, path: str, body: Any, said: str) -> None:
    told(server, "PATCH", "/collections/things", {"strict_mode_config": {"enabled": True, **strict}})
    status, words = told(server, "POST", f"/collections/things/{path}", body)
    assert status == 400 and said in words
    told(server, "PUT", "/collections/things/index", {"field_name": "label", "field_schema": "keyword"})
    if path == "points/count":
        assert told(server, "POST", f"/collections/things/{path}", body) == (200, {"count": 4})


def test_strict_mode_may_be_the_server_s_default() -> None:
    with QdrantStandIn(strict=models.StrictModeConfig(enabled=True, max_query_limit=1)) as server:
        told(server, "PUT", "/collections/things", {"vectors": VECTOR})
        query = {"query": [1.0, 0.0], "using": "v", "limit": 2}
        assert told(server, "POST", "/collections/things/points/query", query)[0] == 400


def test_it_is_yellow_while_it_builds_and_says_what_is_left(server: QdrantStandIn) -> None:
    server.build_looks = 2
    told(server, "PATCH", "/collections/things", {"optimizers_config": {"indexing_threshold": 10}})
    assert told(server, "GET", "/collections/things/optimizations")[1]["summary"]["queued_points"] == 4
    seen = [told(server, "GET", "/collections/things")[1]["status"] for _ in range(3)]
    assert seen == ["yellow", "yellow", "green"]
    assert told(server, "GET", "/collections/things/optimizations")[1]["summary"]["queued_points"] == 0


def test_a_shard_that_was_never_active_is_left_out_without_a_word() -> None:
    with QdrantStandIn(peers=3) as server:
        server.kill(2)
        told(server, "PUT", "/collections/things", {"vectors": VECTOR, "shard_number": 3})
        status, said = told(server, "PUT", "/collections/things/points", {"points": POINTS})
        assert status == 500 and said.startswith("Service internal error: 1 out of 3 shards failed to apply")
        assert told(server, "POST", "/collections/things/points/count", {"exact": True}) == (
            200,
            {"count": 3},
        )
        with pytest.raises(httpx.RemoteProtocolError):
            told(server, "POST", "/collections/things/points/query", {"query": [1.0, 0.0], "using": "v"})
        states = told(server, "GET", "/collections/things/cluster")[1]
        assert [shard["state"] for shard in states["remote_shards"]] == ["Active", "Initializing"]
