"""Files of the home: on a folder and on an object store, whole or not there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from pipeline.errors import SimileError
from pipeline.home import filesystem, listed, resolve_home, write_file


@pytest.fixture(params=["folder", "objects"])
def home(request: pytest.FixtureRequest, tmp_path: Path, s3: str) -> str:
    return str(tmp_path) if request.param == "folder" else f"{s3}/{tmp_path.name}"


def names(home: str) -> list[str]:
    files, folder = filesystem(f"{home}/parts")
    return sorted(found.base_name for found in files.get_file_info(pafs.FileSelector(folder)))


def test_a_file_is_replaced_and_listed_at_once(home: str) -> None:
    for data in (b"old", b"new"):
        write_file(f"{home}/parts/a", data)
    files, path = filesystem(f"{home}/parts/a")
    assert files.open_input_stream(path).read() == b"new"
    assert names(home) == ["a"]
    # Written by another process: pyarrow keeps no listing that could be stale.
    other = pafs.LocalFileSystem() if "://" not in home else filesystem(home)[0]
    other.open_output_stream(f"{filesystem(home)[1]}/parts/b").close()
    assert names(home) == ["a", "b"]


def test_what_is_written_is_what_was_given_whatever_its_name(home: str) -> None:
    write_file(f"{home}/parts/a.gz", b"plain")  # pyarrow itself would compress it
    files, path = filesystem(f"{home}/parts/a.gz")
    assert files.open_input_file(path).read() == b"plain"


def test_a_disk_that_is_full_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_file(str(tmp_path / "parts" / "a"), b"data")
    assert names(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://bucket/home", "'ftp://' is no object store that Simile knows"),
        ("s3://key:secret@bucket/home", "Keys do not belong in an address"),
        ("az://container/home", "AZURE_STORAGE_ACCOUNT_NAME"),
        ("s3://[x/home", r"'s3://\[x/home' names no bucket; expected an address such as s3://bucket/folder"),
        ("gs://bucket:99999/home", "names no bucket"),
        ("s3://", "names no bucket"),
    ],
)
def test_other_addresses_are_refused(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(SimileError, match=said) as refused:
        filesystem(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["s3://[x/home", "s3://key:secret@bucket/home", "s3://bucket/home?token=secret", "s3://bucket/a#secret"],
)
def test_a_home_is_looked_at_before_anything_is_done_with_it(url: str) -> None:
    with pytest.raises(SimileError, match="such as s3://") as refused:
        resolve_home(url)
    assert "secret" not in str(refused.value)


def test_google_and_azure_have_file_systems_of_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    assert filesystem("gs://bucket/home")[0].type_name == "gcs"
    assert filesystem("az://container/home")[0].type_name == "abfs"


def test_a_folder_that_comes_while_it_is_listed(tmp_path: Path) -> None:
    """Several workers of a job make the same folder and look into it."""
    folders = [tmp_path / str(number) for number in range(3_000)]
    with ThreadPoolExecutor(1) as other:
        made = other.submit(lambda: [folder.mkdir() for folder in folders])
        for folder in folders:
            while not folder.exists():
                assert listed(str(folder)) == []
        made.result()
    assert len(listed(str(tmp_path))) == len(folders)
