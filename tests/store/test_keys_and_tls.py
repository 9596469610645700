"""A server with a private authority and with two keys, spoken to by REST and gRPC."""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme

from page.collection_library import CollectionLibrary
from pipeline.backup import save_collection
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.search import Example, Settings
from pipeline.store import open_store
from pipeline.store.authority import private_authority, server_variables, trust
from pipeline.store.protocol import vector_params
from pipeline.store.server_connection import _warn_of_open_key
from ray_jobs.index import parse_arguments
from tests.search.conftest import IDS, N, fill
from tests.stand_ins.qdrant import QdrantStandIn
from tests.stand_ins.qdrant_grpc import GrpcStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
ID = "00000000-0000-0000-0000-000000000001"
AUTHORITY, STRANGER = trustme.CA(key_type=trustme.KeyType.ECDSA), trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(autouse=True)
def no_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QDRANT_CA", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[QdrantStandIn, GrpcStandIn]]:
    """Both interfaces by TLS, with a certificate that the private authority signed."""
    shown = AUTHORITY.issue_cert("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.configure_cert(context)
    chain = b"".join(pem.bytes() for pem in shown.cert_chain_pems)
    fast_tls = grpc.ssl_server_credentials([(shown.private_key_pem.bytes(), chain)])
    with QdrantStandIn(tls=context) as rest, GrpcStandIn(rest, fast_tls) as fast:
        yield rest, fast


def pem(tmp_path: Path, authority: trustme.CA) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("way", ["file", "text", "flag", "SSL_CERT_FILE"])
@pytest.mark.parametrize("fast", [False, True], ids=["rest", "grpc"])
def test_a_private_authority_is_trusted(
    way: str,
    fast: bool,
    server: tuple[QdrantStandIn, GrpcStandIn],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = pem(tmp_path, AUTHORITY)
    monkeypatch.setenv("QDRANT_CA", "")  # restored afterwards, also where the flag sets it
    if way == "flag":
        trust(parse_arguments(["some.yaml", "--ca", file]).ca)
    else:
        given = AUTHORITY.cert_pem.bytes().decode() if way == "text" else file
        monkeypatch.setenv("SSL_CERT_FILE" if way == "SSL_CERT_FILE" else "QDRANT_CA", given)
    rest, grpc_server = server
    if fast:
        monkeypatch.setenv("QDRANT_GRPC_PORT", str(grpc_server.port))
    before = grpc_server.written
    store = open_store(url=rest.url)
    version = f"things__{way}{fast}"
    store.create(version, CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
    store.upsert(version, [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])
    assert store.count(version) == 1
    assert grpc_server.written - before == fast


def test_a_certificate_that_is_not_trusted_is_one_sentence(
    server: tuple[QdrantStandIn, GrpcStandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = r"certificate of the Qdrant server at https://\S+ is not trusted \(.*\); set QDRANT_CA or --ca"
    with pytest.raises(SimileError, match=sentence):
        open_store(url=server[0].url)
    monkeypatch.setenv("QDRANT_CA", pem(tmp_path, STRANGER))
    with pytest.raises(SimileError, match=sentence):
        open_store(url=server[0].url)


def test_what_is_no_certificate_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in ("missing.pem", "empty.pem"):
        with pytest.raises(SimileError, match=rf"{file}' is no certificate of an authority: .* name a PEM"):
            trust(str(tmp_path / file))
    monkeypatch.setenv("QDRANT_CA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(SimileError, match="The text in QDRANT_CA is no certificate of an authority"):
        private_authority()


def test_a_bundle_may_have_comments_in_any_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_bytes("# Főtanúsítvány\n".encode() + AUTHORITY.cert_pem.bytes())
    monkeypatch.setenv("QDRANT_CA", str(tmp_path / "ca.pem"))
    assert AUTHORITY.cert_pem.bytes().decode() in (private_authority() or "")


def test_writers_on_other_nodes_get_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "QDRANT_CA" not in server_variables()
    monkeypatch.setenv("QDRANT_CA", pem(tmp_path, AUTHORITY))
    assert server_variables()["QDRANT_CA"] == AUTHORITY.cert_pem.bytes().decode()


@pytest.mark.filterwarnings("error")
def test_that_a_key_is_not_encrypted_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _warn_of_open_key.cache_clear()
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    with QdrantStandIn(api_key="secret") as rest, GrpcStandIn(rest) as fast:
        monkeypatch.setenv("QDRANT_GRPC_PORT", str(fast.port))
        with caplog.at_level(logging.WARNING, "simile"):
            for _ in range(3):
                open_store(url=rest.url)
    assert caplog.messages == [
        f"QDRANT_API_KEY goes to {rest.url} without encryption; use https:// where others could listen."
    ]


def test_a_key_that_only_reads_is_enough_for_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with QdrantStandIn(api_key="writes", read_only_key="reads") as server:
        monkeypatch.setenv("QDRANT_API_KEY", "writes")
        writer = open_store(url=server.url)
        version = fill(writer, calibrated=True)
        writer.attach(version, "map.bin", b"map")
        monkeypatch.setenv("QDRANT_API_KEY", "reads")
        library = CollectionLibrary(str(tmp_path), server.url)
        assert library.titles() == [("greys", "greys")]
        greys = library.open("greys")
        for metric in ("cosine", "hamming"):
            settings = Settings(metric, 3, filters={"style": ["even"]})
            assert greys.find([Example(id=IDS[0])], [Example(id=IDS[9])], settings).hits
        assert greys.facets("artist") and greys.examples(2) and greys.attachment("map.bin") == b"map"
        reader = open_store(url=server.url)
        assert save_collection(reader, "greys", str(tmp_path / "archive"))["points"] == N
        for write in (
            lambda: reader.create("greys__2", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {}),
            lambda: reader.upsert(version, [ID], {"v": np.ones((1, 32), np.float32)}, [{}]),
            lambda: reader.attach(version, "map.bin", b"another"),
            lambda: reader.delete(version, [IDS[0]]),
            lambda: reader.switch("greys", version),
        ):
            with pytest.raises(
                SimileError, match=r"refuses this key \(403\); set QDRANT_API_KEY to one that"
            ):
                write()
        assert reader.count(version) == N and reader.aliases() == {"greys": version}
