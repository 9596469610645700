"""Where Simile keeps things: one absolute folder or fsspec URL, never relative to the running process."""

import os
from pathlib import Path

import platformdirs
import pyarrow.fs as pafs

from pipeline.errors import SimileError

__all__ = [
    "cache_folder",
    "copy_sparse",
    "filesystem",
    "replace_file",
    "resolve_home",
    "store_folder",
    "unfinished_samples",
]


_HOLE_BYTES = 16 * 2**10  # a few blocks of a file system
_HOLE = bytes(_HOLE_BYTES)


def resolve_home(home: str | None = None) -> str:
    """The home asked for, else `SIMILE_HOME`, else the user's data directory; absolute, or a URL as it is.

    Raises:
        SimileError: a relative path, which under `ray job submit` would land in a copy of the folder.
    """
    chosen = home or os.environ.get("SIMILE_HOME") or platformdirs.user_data_dir("simile", appauthor=False)
    if "://" in chosen:
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
    if "://" in home:
        raise SimileError(
            f"The embedded Qdrant needs a local folder and the home is '{home}'; "
            "set QDRANT_URL to a Qdrant server."
        )
    return Path(home) / "store"


def unfinished_samples(home: str) -> Path:
    """A file that is there while the bundled samples are being indexed, and after that was cut short."""
    return Path(home) / "samples.unfinished"


def cache_folder() -> Path:
    """Where exported networks are kept: `SIMILE_CACHE`, else the user's cache directory."""
    return Path(os.environ.get("SIMILE_CACHE") or platformdirs.user_cache_dir("simile", appauthor=False))


def filesystem(location: str) -> tuple[pafs.FileSystem, str]:
    """The pyarrow file system and the path on it of an absolute path or fsspec URL."""
    if "://" not in location:
        return pafs.LocalFileSystem(), location
    import fsspec

    files, path = fsspec.core.url_to_fs(location)
    return pafs.PyFileSystem(pafs.FSSpecHandler(files)), path


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


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never half, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
