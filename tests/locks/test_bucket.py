"""The lock in a bucket takes the keys and the region that the rest of a job takes."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import pipeline.home
from pipeline.errors import SimileError
from pipeline.home import write_file
from pipeline.locks.lock import refuse_second_writer
from tests.stand_ins.s3 import S3StandIn, serve_s3

SECRET = "not-to-be-printed"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3StandIn]:
    """A bucket, no keys in the environment, and no profiles but those of this test."""
    with S3StandIn() as server:
        serve_s3(server, monkeypatch)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        server.signed.clear()
        yield server
    pipeline.home._s3.cache_clear()  # it knows these keys


def written_and_locked(server: S3StandIn) -> tuple[set[str], set[str]]:
    """How the requests of pyarrow and those of the lock are signed."""
    write_file("s3://bucket/home/file", b"")
    files = set(server.signed)
    server.signed.clear()
    refuse_second_writer("s3://bucket/home", "birds")
    return files, server.signed


@pytest.mark.parametrize(
    ("credentials", "config", "profile", "signed"),
    [
        ("[default]\naws_access_key_id = A\naws_secret_access_key = s\n", "", "", "A/us-east-1"),
        ("", "[default]\naws_access_key_id = B\naws_secret_access_key = s\n", "", "B/us-east-1"),
        (
            "[default]\naws_access_key_id = A\naws_secret_access_key = s\n"
            "[work]\naws_access_key_id = C\naws_secret_access_key = s\n",
            "",
            "work",
            "C/us-east-1",
        ),
    ],
)
def test_a_profile_counts_for_files_and_lock(
    server: S3StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    credentials: str,
    config: str,
    profile: str,
    signed: str,
) -> None:
    (tmp_path / "credentials").write_text(credentials)
    (tmp_path / "config").write_text(config)
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert written_and_locked(server) == ({signed}, {signed})


def test_the_environment_counts_more_than_a_profile(
    server: S3StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert written_and_locked(server) == ({"E/eu-west-3"}, {"E/eu-west-3"})


def test_a_profile_without_keys_of_its_own_is_refused(server: S3StandIn, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\nsso_session = office\n")
    with pytest.raises(SimileError, match=r"'default' come from sso_session.*export-credentials"):
        refuse_second_writer("s3://bucket/home", "birds")


def test_a_damaged_profile_is_a_sentence_without_its_secrets(server: S3StandIn, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(f"aws_secret_access_key = {SECRET}\n")
    with pytest.raises(SimileError, match="not a valid file of AWS profiles") as caught:
        refuse_second_writer("s3://bucket/home", "birds")
    assert SECRET not in str(caught.value) and caught.value.__suppress_context__


def test_a_private_authority_counts_for_files_and_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with S3StandIn(tls) as server:
        serve_s3(server, monkeypatch)
        assert written_and_locked(server) == ({"test/us-east-1"}, {"test/us-east-1"})
    pipeline.home._s3.cache_clear()  # it knows this authority
