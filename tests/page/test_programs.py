"""What programs, models and watchers see: /health, the named endpoints and MCP."""

import base64
import csv
import io
import json
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

import demo
from benchmarks.page import load
from page.api.arguments import picture_bytes
from page.api.health import health
from page.collection_library import CollectionLibrary
from pipeline.errors import ImageError, SimileError
from tests.page.conftest import LIMIT, run_apart

ENDPOINTS = {
    *("/search", "/collections", "/facets", "/search_image", "/search_text", "/search_by_id"),
    *("/search_colours", "/palette", "/search_everywhere"),
    *("/recommend", "/explain", "/map", "/compare", "/export"),
    *("/search_by_vector", "/duplicates", "/insights"),
}


# --- health


def _health(url: str) -> tuple[int, dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:
        return answer.status, json.load(answer)


def test_health_names_live_versions(demo_url: str) -> None:
    status, said = _health(demo_url)
    assert status == 200 and said["status"] == "ok" and set(said) == {"status", "collections"}
    assert list(said["collections"]) == ["cifar10", "wikiart"]
    assert all(version.startswith(f"{name}__") for name, version in said["collections"].items())


class _Broken:
    """Stands in for a CollectionLibrary whose store is away, or whose collection cannot be opened."""

    def __init__(self, names: list[str] | None) -> None:
        self._names = names

    def names(self) -> list[str]:
        if self._names is None:
            raise SimileError("cannot reach http://user:secret@10.0.0.1:6333")
        return self._names

    def open(self, name: str) -> Any:
        raise SimileError(f"/home/anna/{name} is damaged")


@pytest.mark.parametrize(("names", "status"), [(None, "failed"), ([], "empty"), (["a"], "failed")])
def test_health_fails_without_telling_why(names: list[str] | None, status: str) -> None:
    code, said = health(_Broken(names))  # type: ignore[arg-type]
    assert code == 503 and said["status"] == status
    assert "secret" not in str(said) and "anna" not in str(said)


def test_one_broken_collection_is_degraded(demo_home: Path) -> None:
    library = CollectionLibrary(str(demo_home))
    library.names = lambda: ["gone", "wikiart"]  # type: ignore[method-assign]
    code, said = health(library)
    assert code == 200 and said["status"] == "degraded" and said["collections"]["gone"] is None


# --- endpoints


def test_every_endpoint_is_named_and_explained(client: Client) -> None:
    api = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(api) == ENDPOINTS
    assert all(len(about["description"]) > 40 for about in api.values())


def test_a_program_goes_from_collections_to_recommended_works(client: Client, picture: Path) -> None:
    there = client.predict(api_name="/collections")["collections"]
    wikiart = next(one for one in there if one["name"] == "wikiart")
    assert wikiart["pictures"] > 0 and "style" in wikiart["filters"]
    values = client.predict("wikiart", "style", api_name="/facets")["values"]
    assert values and sum(one["count"] for one in values) <= wikiart["pictures"]
    image = base64.b64encode(picture.read_bytes()).decode()
    hits = client.predict(image, "wikiart", k=3, api_name="/search_image")["hits"]
    assert hits[0]["score"] > 0.97 and "thumbnail" not in hits[0]
    assert hits[0]["picture"] == f"picture/wikiart/{hits[0]['id']}"
    as_url = f"data:image/jpeg;base64,{image}"
    again = client.predict(as_url, "wikiart", k=3, thumbnails=True, api_name="/search_image")["hits"]
    assert [hit["id"] for hit in again] == [hit["id"] for hit in hits]
    assert again[0]["thumbnail"].startswith("data:image/")
    own = hits[0]["id"]
    near = client.predict(own, "wikiart", k=5, api_name="/search_by_id")["hits"]
    assert len(near) == 5 and own not in [hit["id"] for hit in near]
    disliked = near[0]["id"]
    wanted = client.predict([own], "wikiart", [disliked], k=5, api_name="/recommend")["hits"]
    assert wanted and not {own, disliked} & {hit["id"] for hit in wanted}


def test_a_program_can_ask_what_the_page_can(client: Client, picture: Path) -> None:
    image = base64.b64encode(picture.read_bytes()).decode()
    first = client.predict(image, "wikiart", k=4, api_name="/search_image")["hits"]
    part = client.predict(image, "wikiart", k=4, box="[0, 0, 0.5, 0.5]", api_name="/search_image")["hits"]
    assert part[0]["score"] < first[0]["score"]
    with pytest.raises(AppError, match="is no box"):
        client.predict(image, "wikiart", box="left", api_name="/search_image")
    varied = client.predict(image, "wikiart", k=4, diversity=0.9, api_name="/search_image")["hits"]
    assert [hit["id"] for hit in varied] != [hit["id"] for hit in first]
    sure = client.predict(image, "wikiart", k=50, matches_only=True, api_name="/search_image")["hits"]
    assert sure and not any(hit["weak"] for hit in sure) and len(sure) < 50
    artist = first[0]["payload"]["artist"]
    excluded = json.dumps({"artist": [artist]})
    others = client.predict(
        [image, first[1]["id"]],
        "wikiart",
        k=9,
        excluded=excluded,
        at_most='{"artist": 1}',
        api_name="/recommend",
    )["hits"]
    artists = [hit["payload"]["artist"] for hit in others]
    assert others and artist not in artists and len(set(artists)) == len(artists)
    why = client.predict(first[1]["id"], "wikiart", image=image, api_name="/explain")
    assert [one["metric"] for one in why["standings"]] == ["cosine", "hamming"]
    assert why["standings"][0]["rank"] == 2 and 0 < why["agreeing_bits"] < why["bits"]
    assert len(why["query_heat"]) > 1 and len(why["hit_heat"][0]) > 1
    by_id = client.predict(first[1]["id"], "wikiart", id=first[0]["id"], api_name="/explain")
    assert by_id["similarity"] == pytest.approx(why["similarity"], abs=0.02)
    with pytest.raises(AppError, match="either the id"):
        client.predict(first[1]["id"], "wikiart", api_name="/explain")
    with pytest.raises(AppError, match="no label that these words name"):
        client.predict("a lake", "wikiart", api_name="/search_text")


def test_a_second_page_goes_on_after_the_first(client: Client, picture: Path) -> None:
    image = base64.b64encode(picture.read_bytes()).decode()

    def ids(k: int, offset: int = 0) -> list[str]:
        found = client.predict(image, "wikiart", k=k, offset=offset, api_name="/search_image")
        return [hit["id"] for hit in found["hits"]]

    every = ids(12)
    assert ids(6) + ids(6, 6) == every and len(set(every)) == 12
    upload = client.predict(handle_file(picture), "wikiart", k=3, offset=2, api_name="/search")
    assert [hit["id"] for hit in upload["hits"]] == every[2:5]
    near = client.predict(every[0], "wikiart", k=5, offset=1, api_name="/search_by_id")["hits"]
    whole = client.predict(every[0], "wikiart", k=6, api_name="/search_by_id")["hits"]
    assert [hit["id"] for hit in near] == [hit["id"] for hit in whole[1:]]
    for bad in (-1, 1001):
        with pytest.raises(AppError, match="offset must be a whole number from 0 to 1,000"):
            client.predict(image, "wikiart", offset=bad, api_name="/search_image")


def test_a_program_reads_places_on_the_map(client: Client) -> None:
    told = client.predict("wikiart", api_name="/map")
    assert told["points"] == LIMIT == len(told["places"]) and told["missing"] == []
    assert all(-1 <= place[axis] <= 1 for place in told["places"] for axis in "xy")
    one, gone = told["places"][7], str(uuid.UUID(int=7))
    assert one["labels"]["artist"]
    again = client.predict("wikiart", [one["id"], gone], api_name="/map")
    assert again["places"] == [one] and again["missing"] == [gone]
    assert len(client.predict("wikiart", k=5, api_name="/map")["places"]) == 5
    with pytest.raises(AppError, match="is no id"):
        client.predict("wikiart", ["../x"], api_name="/map")


def test_a_program_compares_two_ways(client: Client) -> None:
    own = client.predict("wikiart", k=1, api_name="/map")["places"][0]["id"]
    told = client.predict(own, "wikiart", k=9, api_name="/compare")
    left, right = ({hit["id"] for hit in told[side]} for side in ("left", "right"))
    assert len(left) == len(right) == 9 and own not in left | right
    assert told["shared"] == len(left & right) < 9
    assert {hit["id"] for hit in told["right"] if hit["shared"]} == left & right
    assert all(isinstance(hit["distance"], int) for hit in told["right"])
    same = client.predict(own, "wikiart", right_metric="cosine", right_exact=True, k=9, api_name="/compare")
    assert same["shared"] == 9, "of 60 pictures the index misses none"


def test_a_program_takes_hits_along(client: Client) -> None:
    own = client.predict("wikiart", k=1, api_name="/map")["places"][0]["id"]
    hits = client.predict(own, "wikiart", k=20, api_name="/search_by_id")["hits"]
    first = client.predict(own, "wikiart", k=15, api_name="/export")
    rest = client.predict(own, "wikiart", k=5, offset=15, api_name="/export")
    rows = [row for text in (first["text"], rest["text"]) for row in csv.DictReader(io.StringIO(text))]
    assert [row["id"] for row in rows] == [hit["id"] for hit in hits]
    assert [int(row["rank"]) for row in rows] == list(range(1, 21)) and first["more"]
    told = json.loads(client.predict(own, "wikiart", "json", k=2, api_name="/export")["text"])
    assert told["collection"] == "wikiart" and [hit["id"] for hit in told["hits"]] == [
        hit["id"] for hit in hits[:2]
    ]
    with pytest.raises(AppError, match="there are: csv, json"):
        client.predict(own, "wikiart", "xlsx", api_name="/export")


@pytest.mark.parametrize("image", ["http://127.0.0.1/x.png", "/etc/hostname", "data:image/svg+xml,<svg/>"])
def test_only_base64_is_a_picture(client: Client, image: str) -> None:
    with pytest.raises(ImageError, match="base64"):
        picture_bytes(image)
    with pytest.raises(AppError, match="base64"):
        client.predict(image, "wikiart", api_name="/search_image")


def test_an_id_that_is_none_is_explained(client: Client) -> None:
    with pytest.raises(AppError, match="is no id; take"):
        client.predict("../../etc/passwd", "wikiart", api_name="/search_by_id")
    with pytest.raises(AppError, match=str(uuid.UUID(int=7))):
        client.predict(str(uuid.UUID(int=7)), "wikiart", api_name="/search_by_id")


# --- MCP


def _ask(url: str, calls: list[tuple[str, dict[str, Any]]]) -> tuple[dict[str, Any], list[tuple[bool, str]]]:
    """Tools by name, and (failed, text) of each call."""

    async def talk() -> tuple[dict[str, Any], list[tuple[bool, str]]]:
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            answers = []
            for name, arguments in calls:
                answer = await session.call_tool(name, arguments)
                answers.append((bool(answer.isError), getattr(answer.content[0], "text", "")))
            return tools, answers

    return run_apart(talk)


def test_a_model_searches(mcp_url: str, picture: Path, demo_home: Path) -> None:
    image = base64.b64encode(picture.read_bytes()).decode()
    local = str(next(path for path in demo_home.rglob("*") if path.is_file()))
    described = {"path": local, "meta": {"_type": "gradio.FileData"}}
    tools, answers = _ask(
        mcp_url,
        [
            ("collections", {}),
            ("search_image", {"image": image, "collection": "wikiart", "k": 2}),
            ("search_image", {"image": "http://127.0.0.1:1/x.png", "collection": "wikiart"}),
            ("search_image", {"image": described, "collection": "wikiart"}),
            ("recommend", {"likes": [described], "collection": "wikiart"}),
            ("search", {"image": "http://127.0.0.1:1/x.png", "collection": "wikiart"}),
        ],
    )
    assert {f"/{name}" for name in tools} == ENDPOINTS - {"/search"}
    assert "base64" in tools["search_image"].inputSchema["properties"]["image"]["description"]
    assert "nearest first" in (tools["search_image"].description or "")
    assert [failed for failed, _ in answers] == [False, False, True, True, True, True]
    assert "wikiart" in answers[0][1] and '"hits"' in answers[1][1].replace("'", '"')
    assert "base64" in answers[2][1]
    assert all(local not in text or "not of type" in text for _, text in answers)


def test_login_and_models_exclude_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert demo.main(["--mcp", "--auth", "anna:b"]) == 1
    assert "--mcp cannot be combined with --auth" in capsys.readouterr().err


# --- many at once


def test_eight_at_once_fail_never(demo_url: str) -> None:
    """The short form of `python -m benchmarks.page`."""
    figures = load(demo_url, "wikiart", callers=8, searches=24)
    assert figures["errors"] == 0, figures["first_errors"]
    assert figures["searches"] >= 24 and 0 < figures["p50_ms"] <= figures["p95_ms"]
