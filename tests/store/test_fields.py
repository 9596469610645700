"""Payload fields of any name and kind, on both stores: indexed, selected, counted, and filtered."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.store import Manifest, Store, open_store
from pipeline.store.field_paths import SCHEMAS, json_path
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.store.manifest import Version
from pipeline.store.protocol import vector_params
from pipeline.store.read_points import least_and_greatest
from pipeline.store.versions import read_version
from tests.stand_ins.qdrant import QdrantStandIn
from tests.store.odd_fields import BIG, CONFIG, IDS, KINDS, NAMES, N, fill, payload


@pytest.fixture(scope="module", params=["embedded", "stand-in"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "embedded":
        yield open_store(home=str(tmp_path_factory.mktemp("home")))
    else:
        with QdrantStandIn() as server:
            yield open_store(url=server.url)


@pytest.fixture(scope="module")
def version(store: Store) -> Version:
    return read_version(store, fill(store))


def passing(store: Store, version: Version, filters: dict[str, Any], **excluded: Any) -> list[int]:
    """Numbers of the points that pass."""
    only = qdrant_filter(wanted_of(version, filters, excluded))
    return [IDS.index(str(r.id)) for r in store.scroll(version.name, N, fields=[], query_filter=only)]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_taken_as_it_stands(store: Store, version: Version, name: str) -> None:
    assert passing(store, version, {name: f"{name} 1"}) == [1, 3, 7]
    assert sorted(store.facet(version.name, name, 10)) == [(f"{name} 0", 3), (f"{name} 1", 3)]
    assert store.retrieve(version.name, IDS[:1], fields=[name])[0].payload == {name: f"{name} 0"}
    assert store.scroll(version.name, 1, fields=[name])[0].payload == {name: f"{name} 0"}
    (hit,) = store.query(version.name, np.ones(2, np.float32), using="v", limit=1, fields=[name])
    assert set(hit.payload or {}) <= {name}


def test_a_path_into_a_field_is_a_tuple(store: Store, version: Version) -> None:
    found = store.retrieve(version.name, IDS[:1], fields=[("_simile", "mark")])
    assert found[0].payload == {"_simile": {"mark": "m0"}}


@pytest.mark.parametrize("name", ['a"b', "back\\slash", ""])
def test_names_that_no_path_can_hold_are_refused(name: str) -> None:
    with pytest.raises(SimileError, match=r"cannot be filtered.*Rename it"):
        json_path(name)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"sold": True}, [0, 4, 6]),
        ({"sold": [False]}, [1, 3, 7]),
        ({"sold": [True, False]}, [0, 1, 3, 4, 6, 7]),
        ({"sold": np.bool_(True)}, [0, 4, 6]),
        ({"sold": None}, [2, 5]),
        ({"sold": [True, None]}, [0, 2, 4, 5, 6]),
        ({"tags[]": "red"}, [1, 3, 7]),
        ({"tags[]": ["red", "blue"]}, [0, 1, 3, 4, 6, 7]),
        ({"tags[]": None}, [2, 5]),
        ({"tags[]": {"not": ["red", None]}}, [0, 4, 6]),
        ({"tags[]": []}, list(range(N))),
        ({"tweet": BIG + 3}, [3]),
        ({"tweet": [str(BIG + 3), BIG + 2]}, [2, 3]),
        ({"year": 1903}, [3]),
        ({"year": {"gte": 1901, "lt": 1904}}, [1, 3]),
        ({"year": {"gt": 1901, "lte": 1904, "not": 1903}}, [4]),
        ({"year": [{"lt": 1901}, 1907, None]}, [0, 2, 5, 7]),
        ({"year": {"not": {"gte": 1903}}}, [0, 1, 2, 5]),
        ({"rating": 1.5}, [3]),
        ({"rating": [0, 0.5]}, [0, 1]),
        ({"rating": {"gte": 2}}, [4, 6, 7]),
        ({"scores": {"gte": 6.2}}, [6, 7]),
        ({"when": "2024-01-04"}, [3]),
        ({"when": "2024-01-04T12:00:00+02:00"}, [3]),
        ({"when": {"gte": "2024-01-04", "lte": "2024-01-07"}}, [3, 4, 6]),
        ({"when": {"gt": "2024-01-04", "lt": "2024-01-07"}}, [4]),
        ({"when": {"lt": "2024-01-02T10:00:00Z"}}, [0]),
        ({"when": None, "year": None}, [2, 5]),
    ],
)
def test_filters_of_every_kind(
    store: Store, version: Version, filters: dict[str, Any], expected: list[int]
) -> None:
    assert passing(store, version, filters) == expected


def test_what_is_excluded_leaves_those_without_a_value(store: Store, version: Version) -> None:
    assert passing(store, version, {}, sold=[True]) == [1, 2, 3, 5, 7]
    assert passing(store, version, {"year": {"gte": 1901}}, **{"tags[]": ["red"]}) == [4, 6]


def test_the_ends_of_numbers_and_times(store: Store, version: Version) -> None:
    assert least_and_greatest(store, version.name, "year") == (1900, 1907)
    assert least_and_greatest(store, version.name, "rating") == (0.0, 3.5)
    assert least_and_greatest(store, version.name, "scores") == (0.0, 7.5)
    times = ("2024-01-01T10:00:00Z", "2024-01-08T10:00:00Z")
    assert least_and_greatest(store, version.name, "when") == times


def test_indexes_are_added_to_points_that_are_there(store: Store) -> None:
    store.create("odd__2", CONFIG, vector_params(CONFIG, {"v": 2}, {}), {})
    store.upsert("odd__2", IDS[:3], {"v": np.ones((3, 2), np.float32)}, [payload(i) for i in range(3)])
    store.add_indexes("odd__2", CONFIG, {"Shot by": SCHEMAS["text"], "rating": SCHEMAS["number"]})
    store.finish("odd__2")
    assert sorted(store.facet("odd__2", "Shot by", 5)) == [("Shot by 0", 1), ("Shot by 1", 1)]
    assert least_and_greatest(store, "odd__2", "rating") == (0.0, 0.5)


def test_an_older_version_tells_its_kinds_by_its_values(store: Store, version: Version) -> None:
    fields = ("plain", "sold", "year", "absent")
    indexes = {field: SCHEMAS[KINDS[field].kind] for field in fields[:3]} | {"absent": SCHEMAS["text"]}
    store.create("odd__3", CONFIG, vector_params(CONFIG, {"v": 2}, {}), indexes)
    store.upsert("odd__3", IDS[:2], {"v": np.ones((2, 2), np.float32)}, [payload(0), payload(1)])
    store.finish("odd__3")
    store.write_manifest("odd__3", Manifest(collection="odd", filters=fields))
    old = read_version(store, "odd__3")
    assert [old.manifest.kinds[field].kind for field in fields] == ["text", "boolean", "integer", "text"]
    assert passing(store, old, {"sold": True}) == [0]
