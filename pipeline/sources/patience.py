"""Files whose storage may be away for a moment.

An error of the way to a file is told from one of its content by where it comes from: bytes that cannot be had
are the one, and bytes that cannot be decoded the other. So the former never reach whoever decodes.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import SimileError
from pipeline.printable import printable
from pipeline.sources.storage import HUB, on_filesystem

if TYPE_CHECKING:
    import pyarrow as pa
    from huggingface_hub import HfFileSystem

__all__ = ["PatientFile", "patiently"]

# Seconds between attempts. The file systems of object stores have repeated a request for a minute by then.
_PAUSES = (1.0, 5.0)
_T = TypeVar("_T")


def patiently(read: Callable[[], _T], location: str) -> _T:
    """What `read` gives, asked several times where its storage does not answer.

    Args:
        location: of what is read.

    Raises:
        FileNotFoundError: it is not there; that is an answer.
        SimileError: it cannot be read at all.
    """
    away: tuple[type[Exception], ...] = (OSError,)
    if location.startswith(HUB):
        import httpx2

        away = (OSError, httpx2.HTTPError)
    for pause in (*_PAUSES, None):
        try:
            return read()
        except FileNotFoundError:
            raise
        except away as error:
            if pause is None:
                why = printable(error, 300).rstrip(" .:")
                raise SimileError(
                    f"'{printable(location, 300)}' cannot be read: {why}. None of its rows was rejected for "
                    "that; run the job again when the cause is fixed"
                ) from error
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


class PatientFile(io.RawIOBase):
    """A file to read and to seek in, opened when it is first read. Each read is done `patiently`.

    pyarrow takes it as it is, and `io.BufferedReader` as its raw stream.
    """

    def __init__(self, location: str, hub: HfFileSystem | None = None) -> None:
        """
        Args:
            location: an absolute path or an address.
            hub: the Hub's file system, where it was made by another process.
        """
        super().__init__()
        self._location, self._hub = location, hub
        self._file: pa.NativeFile | None = None
        self._at = 0

    def read_buffer(self, size: int) -> pa.Buffer:
        """At most so many bytes from where it stands, without a copy; fewer only at the end."""
        data = patiently(lambda: self._opened(lambda file: _read(file, self._at, size)), self._location)
        self._at += data.size
        return data

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]  # typeshed has its own buffer
        """Fills `target`; returns how many bytes there were."""
        data = self.read_buffer(len(target))
        target[: data.size] = memoryview(data).cast("B")
        return int(data.size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place; nothing is read for that."""
        start = {io.SEEK_SET: lambda: 0, io.SEEK_CUR: self.tell, io.SEEK_END: self._size}[whence]()
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """Closes the file below."""
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()

    def _size(self) -> int:
        size: int = patiently(lambda: self._opened(lambda file: file.size()), self._location)
        return size

    def _opened(self, use: Callable[[pa.NativeFile], _T]) -> _T:
        """What `use` makes of the open file. After an error it is opened anew: its connection may be dead."""
        try:
            if self._file is None:
                files, path = on_filesystem(self._location, self._hub)
                self._file = files.open_input_file(path)
            return use(self._file)
        except Exception:
            self._file = None
            raise


def _read(file: pa.NativeFile, at: int, size: int) -> pa.Buffer:
    import pyarrow as pa

    if at >= file.size():  # of an object that became shorter, an object store would make that an error
        return pa.py_buffer(b"")
    file.seek(at)
    return file.read_buffer(size)
