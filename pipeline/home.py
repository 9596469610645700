"""Where Simile keeps things: an absolute folder, or a URL of an object store."""

from __future__ import annotations

import datetime
import os
import re
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.printable import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pafs

__all__ = [
    "SEARCHABLE",
    "cache_folder",
    "copy_sparse",
    "filesystem",
    "is_remote",
    "listed",
    "remove_folder",
    "resolve_home",
    "store_folder",
    "unfinished_samples",
    "write_file",
]


SEARCHABLE = "searchable"  # what `unfinished_samples` holds once one collection can be searched
_BUCKET = re.compile(r"[\w$][\w.$-]*")  # of all three providers
_HOLE_BYTES = 16 * 2**10  # a few blocks of a file system
_HOLE = bytes(_HOLE_BYTES)


def resolve_home(home: str | None = None) -> str:
    """The home asked for, else `SIMILE_HOME`, else the user's data directory; absolute, or a URL as it is.

    Raises:
        SimileError: a relative path, which under `ray job submit` would land in a copy of the folder; or a
            malformed URL.
    """
    chosen = home or os.environ.get("SIMILE_HOME") or _user_folder("user_data_dir")
    if is_remote(chosen):
        # pyarrow takes what follows for a part of the name, and obstore leaves it out.
        if "?" in chosen or "#" in chosen:
            raise SimileError(
                f"The home '{without_secrets(chosen)}' has a '?' or '#'; expected an address such as "
                "s3://bucket/folder, and keys and settings in the environment."
            )
        _parted(chosen)
        return chosen.rstrip("/")
    path = Path(chosen).expanduser()
    if not path.is_absolute():
        raise SimileError(
            f"The home '{chosen}' is relative; give an absolute path or URL (--home, SIMILE_HOME)."
        )
    return str(path)


def store_folder(home: str) -> Path:
    """Where the embedded Qdrant keeps its collections below `home`.

    Raises:
        SimileError: the home is a URL; the embedded engine needs a local disk.
    """
    if is_remote(home):
        raise SimileError(
            f"The embedded Qdrant needs a local folder and the home is '{home}'; "
            "set QDRANT_URL to a Qdrant server."
        )
    return Path(home) / "store"


def unfinished_samples(home: str) -> Path:
    """A file that is there while the bundled samples are being indexed, and after that was cut short.

    It holds `SEARCHABLE` when one of them can be searched.
    """
    return Path(home) / "samples.unfinished"


def cache_folder() -> Path:
    """Where exported networks are kept: `SIMILE_CACHE`, else the user's cache directory."""
    return Path(os.environ.get("SIMILE_CACHE") or _user_folder("user_cache_dir"))


def _user_folder(kind: str) -> str:
    """One of the folders that an operating system keeps for each program of a user."""
    import platformdirs  # here, because an actor on a bare GPU machine needs none

    folder: str = getattr(platformdirs, kind)("simile", appauthor=False)
    return folder


def is_remote(location: str) -> bool:
    """Whether this is the address of an object store, not a folder of this machine."""
    return "://" in location


def filesystem(location: str) -> tuple[pafs.FileSystem, str]:
    """The pyarrow file system and the path on it of an absolute path or a URL of an object store.

    The file systems are pyarrow's own: they list anew each time, so what another process wrote is seen.
    Keys and regions come from the environment or the machine's role, as the provider's own tools read them.

    Raises:
        SimileError: a URL of another kind.
    """
    import pyarrow.fs as pafs

    if not is_remote(location):
        return pafs.LocalFileSystem(), location
    scheme, bucket, path = _parted(location)
    return _OBJECT_STORES[scheme](bucket), path


def _parted(location: str) -> tuple[str, str, str]:
    """Scheme, bucket, and bucket with path of a URL.

    Raises:
        SimileError: it is none of an object store, or holds keys.
    """
    scheme, path = location.split("://", 1)
    if scheme not in _OBJECT_STORES:
        raise SimileError(
            f"'{scheme}://' is no object store that Simile knows; use an absolute folder, or "
            f"{', '.join(f'{known}://' for known in _OBJECT_STORES)}."
        )
    bucket = path.split("/", 1)[0]
    if "@" in bucket:
        raise SimileError(
            f"Keys do not belong in an address such as {scheme}://…@bucket, which is printed and stored. Put "
            "them where the provider's own tools read them, such as AWS_ACCESS_KEY_ID."
        )
    if not _BUCKET.fullmatch(bucket):
        raise SimileError(
            f"'{without_secrets(location)}' names no bucket; expected an address such as "
            f"{scheme}://bucket/folder."
        )
    return scheme, bucket, path


def copy_sparse(source: str, copy: str) -> str:
    """Copy a file, with holes wherever it has only zeros; for `shutil.copytree`. Returns `copy`.

    The engine's files are 32 MiB each and mostly holes, which an ordinary copy fills with zeros on the disk.
    Reading the zeros, instead of asking the system for its holes, also shrinks files that were filled before.
    """
    with Path(source).open("rb") as reading, Path(copy).open("wb") as writing:
        while block := reading.read(_HOLE_BYTES):
            if block == _HOLE[: len(block)]:
                writing.seek(len(block), os.SEEK_CUR)
            else:
                writing.write(block)
        writing.truncate()
    return copy


@cache
def _s3(bucket: str) -> pafs.FileSystem:
    import pyarrow.fs as pafs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region and not endpoint:
        try:
            region = pafs.resolve_s3_region(bucket)
        except OSError as error:
            raise SimileError(f"The bucket s3://{bucket} cannot be found: {error}.") from None
    return pafs.S3FileSystem(
        endpoint_override=endpoint,
        region=region,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        tls_ca_file_path=os.environ.get("AWS_CA_BUNDLE"),
    )


@cache
def _gcs(_: str) -> pafs.FileSystem:
    import pyarrow.fs as pafs

    return pafs.GcsFileSystem(retry_time_limit=datetime.timedelta(seconds=2 * _REQUEST_SECONDS))


@cache
def _azure(_: str) -> pafs.FileSystem:
    import pyarrow.fs as pafs

    account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    if not account:
        raise SimileError("az:// needs the name of the storage account in AZURE_STORAGE_ACCOUNT_NAME.")
    return pafs.AzureFileSystem(account, account_key=os.environ.get("AZURE_STORAGE_ACCOUNT_KEY"))


_ATTEMPTS = 8  # of a request to S3; with the waits between them about a minute
_CONNECT_SECONDS, _REQUEST_SECONDS = 10.0, 60.0  # the SDK's own 1 and 3 seconds are short for a busy store
_OBJECT_STORES = {"s3": _s3, "gs": _gcs, "az": _azure}


def listed(location: str) -> list[pafs.FileInfo]:
    """What lies in a folder, in no order; nothing where there is no such folder.

    PyArrow's own `allow_not_found` fails where another process makes the folder meanwhile: it does not find
    it, and then it does.

    Args:
        location: absolute path, or URL of an object store.
    """
    import pyarrow.fs as pafs

    files, path = filesystem(location)
    folder = pafs.FileSelector(path, allow_not_found=True)
    try:
        found: list[pafs.FileInfo] = files.get_file_info(folder)
    except FileNotFoundError:
        found = files.get_file_info(folder)
    return found


def remove_folder(location: str) -> None:
    """Remove a folder and all in it, unless it is gone: another process may do the same."""
    import pyarrow.fs as pafs

    files, path = filesystem(location)
    if files.get_file_info(path).type == pafs.FileType.Directory:
        with suppress(FileNotFoundError):
            files.delete_dir(path)


def write_file(location: str, data: bytes | pa.Buffer) -> None:
    """Write a file so that a reader sees the old or the new one, never half, even after a crash.

    On an object store this is one write under the final name: an object appears with its last byte.

    Args:
        location: absolute path, or URL of an object store.
        data: the whole file.
    """
    files, path = filesystem(location)
    if is_remote(location):
        # Nothing but this write is inside. By itself Arrow would compress what is called .gz.
        with files.open_output_stream(path, compression=None) as stream:
            stream.write(data)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{uuid.uuid4().hex}.draft")  # readers leave out names that begin with a dot
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError:  # a full disk: leave nothing half-written behind
        draft.unlink(missing_ok=True)
        raise
