"""A server that others use as well, one that is another version, and one that is none."""

import logging
from collections.abc import Iterator

import pytest
from qdrant_client import QdrantClient, models

from page.api.health import health
from page.collection_library import CollectionLibrary
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.editing.rollback import prune
from pipeline.errors import SimileError
from pipeline.search import list_collections
from pipeline.store import Manifest, open_store, server_connection
from pipeline.store.builds import drop_unfinished
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
VECTORS = vector_params(CONFIG, {"cnn": 2}, {})
LIVE, BEGUN = "things__20260101T000000000000", "things__20260102T000000000000"


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    """With a live version, one that was begun, and what others have: collections and aliases."""
    with QdrantStandIn() as started:
        store = ServerStore(started.url)
        for version in (LIVE, BEGUN, "parked__20260101T000000000000"):
            store.create(version, CONFIG, VECTORS, {})
        store.write_manifest(LIVE, Manifest(collection="things"))
        store.switch("things", LIVE)
        store.switch("parked", "parked__20260101T000000000000")
        for name in ("documents", "things__backup"):
            store.servers.change(QdrantClient.create_collection, name, vectors_config={})
        store.switch("articles", "documents")
        yield started


def test_what_others_have_is_not_listed_and_breaks_no_list(server: QdrantStandIn) -> None:
    assert list_collections(url=server.url) == ["things"]
    library = CollectionLibrary(url=server.url)
    assert library.titles() == [("things", "things")]
    assert [found.name for found in library.opened()] == ["things"]
    assert health(library)[0] == 200


def test_a_collection_that_cannot_be_read_now_does_not_break_the_list(
    server: QdrantStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    library = CollectionLibrary(url=server.url)
    assert library.names() == ["things"]
    server.fault = lambda method, path: "500" if path.endswith(("documents", LIVE)) else None
    with caplog.at_level(logging.WARNING, "simile"):
        assert library.names() == ["things"]  # it is known to be finished
    assert "'documents' is left out, as it cannot be read now" in caplog.text


def test_nothing_of_others_is_dropped(server: QdrantStandIn) -> None:
    store = open_store(url=server.url)
    drop_unfinished(store, "things", except_for=None)
    assert BEGUN not in server.created
    prune(store, "things")
    assert {"documents", "things__backup", LIVE} <= server.created.keys()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("documents", "has a collection 'documents', so that no alias can have its name; choose another"),
        ("articles", "The alias 'articles' .* names 'documents', which is not one of Simile's"),
    ],
)
def test_a_name_that_is_taken_is_found_before_work_begins(
    server: QdrantStandIn, name: str, sentence: str
) -> None:
    with pytest.raises(SimileError, match=sentence):
        ServerStore(server.url).check(name)


def test_an_alias_moves_by_one_step_and_survives_one_that_fails(server: QdrantStandIn) -> None:
    store = ServerStore(server.url)
    with pytest.raises(SimileError, match="doesn't exist"):
        store.switch("things", "things__nowhere")
    assert store.aliases()["things"] == LIVE
    bodies = models.ChangeAliasesOperation(
        actions=[
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="things")),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name="things__nowhere", alias_name="things")
            ),
        ]
    )
    with pytest.raises(SimileError):  # what a switch must not be made of
        store.servers.change(QdrantClient.update_collection_aliases, bodies.actions)
    assert "things" not in store.aliases()


def test_a_read_only_key_is_enough_to_search_and_refused_to_write() -> None:
    with QdrantStandIn(api_key="all", read_only_key="look") as server:
        ServerStore(server.url, "all").create(LIVE, CONFIG, VECTORS, {})
        reader = ServerStore(server.url, "look")
        assert (reader.aliases(), reader.count(LIVE), reader.finished([LIVE])) == ({}, 0, set())
        with pytest.raises(SimileError, match=r"refuses this key \(403\)"):
            reader.drop(LIVE)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.18.2", "is version 1.18.2, and Simile needs 1.19 or newer; update the server"),
        ("?", "1.19 or newer"),
    ],
)
def test_a_server_that_is_too_old_is_refused(version: str, said: str) -> None:
    with QdrantStandIn() as server:
        server.version = version
        with pytest.raises(SimileError, match=said):
            open_store(url=server.url)


def test_a_server_newer_than_those_tested_is_named_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_connection, "_warned", set())
    with QdrantStandIn() as server, caplog.at_level(logging.WARNING, "simile"):
        assert open_store(url=server.url).engine == f"Qdrant 1.19.0 at {server.url}"
        assert not caplog.messages
        server.version = "1.21.3"
        for _ in range(2):
            assert open_store(url=server.url).engine.startswith("Qdrant 1.21.3")
        tested = "is version 1.21.3; Simile was tested with versions up to 1.19."
        assert caplog.messages == [f"The Qdrant server at {server.url} {tested}"]


def test_an_address_of_something_else_is_one_sentence() -> None:
    with QdrantStandIn() as server:
        server.fault = lambda method, path: "html"
        with pytest.raises(
            SimileError, match=r"What answers at http.* is not a Qdrant server: .*usually 6333"
        ):
            open_store(url=server.url)
