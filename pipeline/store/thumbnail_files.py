"""Thumbnails that lie as files on the home, while the payload of their points holds a reference."""

import base64
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pyarrow.fs as pafs
from qdrant_client import models

from pipeline.home import filesystem, write_file
from pipeline.points import RESERVED

__all__ = ["ThumbnailFiles"]

_KEY = "thumbnail"
_REFERENCE = "home:"  # no base64 begins like this
_FOLDER = "thumbnails"
_THREADS = 16  # that read at once: from an object store each file is a request

log = logging.getLogger("simile")

Point = TypeVar("Point", models.Record, models.ScoredPoint)


class ThumbnailFiles:
    """Keeps thumbnails as `<home>/thumbnails/<collection>/<first two digits of the id>/<id>`.

    A file is named after its point, and so after the picture: versions of a collection share it, and writing
    it again changes nothing. It stays when a version is dropped.

    Args:
        home: absolute folder, or URL of an object store. Jobs and pages that share a server share it as well.
    """

    def __init__(self, home: str) -> None:
        self.home = home.rstrip("/")
        self._said = False
        self._saying = threading.Lock()  # files are read by several threads

    def keep(self, collection: str, point: str, thumbnail: bytes) -> str:
        """Write the file; returns what the payload holds in its place."""
        name = _name(collection, point)
        write_file(f"{self.home}/{name}", thumbnail)
        return _REFERENCE + name

    def put_away(self, collection: str, points: list[Point]) -> None:
        """The inverse of `put_back`, before points are written again: a reference where there is a file."""
        files, folder = filesystem(f"{self.home}/{_FOLDER}/{collection}")
        if files.get_file_info(folder).type == pafs.FileType.NotFound:
            return
        for point in points:
            own = (point.payload or {}).get(RESERVED)
            if isinstance(own, dict) and _KEY in own and self._is_there(collection, str(point.id)):
                own[_KEY] = _REFERENCE + _name(collection, str(point.id))

    def remove(self, collection: str, point: str) -> bool:
        """Delete the file of a point; returns whether there was one."""
        if not self._is_there(collection, point):
            return False
        files, path = filesystem(f"{self.home}/{_name(collection, point)}")
        files.delete_file(path)
        return True

    def _is_there(self, collection: str, point: str) -> bool:
        files, path = filesystem(f"{self.home}/{_name(collection, point)}")
        return bool(files.get_file_info(path).is_file)

    def put_back(self, points: list[Point]) -> list[Point]:
        """The points with the thumbnails that their payloads refer to, in base64, as if they were there.

        One that cannot be read is left out, and the log says so once.
        """
        owns = [(point.payload or {}).get(RESERVED) for point in points]
        referring = [own for own in owns if isinstance(own, dict) and _refers(own.get(_KEY))]
        if not referring:
            return points
        with ThreadPoolExecutor(min(_THREADS, len(referring))) as pool:
            thumbnails = pool.map(self._read, [own[_KEY] for own in referring])
            for own, thumbnail in zip(referring, thumbnails, strict=True):
                own[_KEY] = base64.b64encode(thumbnail).decode()
        return points

    def _read(self, reference: str) -> bytes:
        name = reference.removeprefix(_REFERENCE)
        if ".." in name or not name.startswith(f"{_FOLDER}/"):
            return b""  # nothing that `keep` has written
        try:
            files, path = filesystem(f"{self.home}/{name}")
            with files.open_input_stream(path) as stream:
                return bytes(stream.read())
        except OSError as error:
            self._say_once(error)
            return b""

    def _say_once(self, error: OSError) -> None:
        with self._saying:
            if self._said:
                return
            self._said = True
        log.warning(
            "thumbnails of this collection lie as files in %s, and one cannot be read: %s. Set "
            "SIMILE_HOME or --home to the home of the job that indexed it.",
            self.home,
            error,
        )


def _name(collection: str, point: str) -> str:
    return f"{_FOLDER}/{collection}/{point[:2]}/{point}"


def _refers(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_REFERENCE)
