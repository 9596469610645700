"""The files of an archive: a folder or URL whose `archive.json` names every other file with its checksum.

    archive.json                    written last; without it the archive is not whole
    data-<id>/manifest.json         what the version says of itself
    data-<id>/tensors.safetensors   its projections
    data-<id>/points-00000.parquet  ids, vectors and payloads, see points.py
    data-<id>/attachments/<name>    map, report and what else is kept beside the version

Each attempt writes a data folder of its own, so an archive that is replaced stays whole until the new one is.
"""

import hashlib
import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.fs as pafs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.home import filesystem, is_remote, write_file

__all__ = ["FORMAT", "Archive", "ArchiveFolder", "ArchivedFile"]

FORMAT = 1
_INDEX = "archive.json"
_DATA = "data-"
_CHUNK = 2**20  # bytes read at once to compute a checksum


class ArchivedFile(BaseModel):
    """A file of an archive: its path below the archive's folder, its bytes, and their SHA-256."""

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    sha256: str

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        """An archive may come from anywhere, so it must not name files outside of its folder."""
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"'{path}' is outside the archive")
        return path


# A name becomes the name of a file in the embedded store.
_AttachmentName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]


class Archive(BaseModel):
    """What `archive.json` says.

    Attributes:
        format: of the archive; a higher one is refused.
        simile: the version of Simile that wrote it.
        created: ISO 8601, UTC.
        collection: the alias, and `version`: the version that it named.
        points: in all files together.
        dimensions: named vector -> components.
        payload_indexes: payload field -> kind of its index.
        points_files: in the order of the points' ids.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    simile: str
    created: str
    collection: str
    version: str
    points: int
    dimensions: dict[str, int]
    payload_indexes: dict[str, models.PayloadSchemaType]
    manifest: ArchivedFile
    tensors: ArchivedFile
    points_files: tuple[ArchivedFile, ...]
    attachments: dict[_AttachmentName, ArchivedFile]

    @property
    def files(self) -> list[ArchivedFile]:
        """Every file but `archive.json`."""
        return [self.manifest, self.tensors, *self.points_files, *self.attachments.values()]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)


class HashingFile(io.RawIOBase):
    """A file that is written once from beginning to end, and its checksum."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Write and hash."""
        view = memoryview(data)
        self._stream.write(view)
        self._hash.update(view)
        self.size += view.nbytes
        return view.nbytes

    def archived_as(self, path: str) -> ArchivedFile:
        """What was written so far, as an entry of `archive.json`."""
        return ArchivedFile(path=path, bytes=self.size, sha256=self._hash.hexdigest())


class ArchiveFolder:
    """Where an archive lies: an absolute folder or a URL of an object store.

    Raises:
        SimileError: a relative path, which under `ray job submit` would be in a copy of the folder.
    """

    def __init__(self, location: str) -> None:
        if not is_remote(location):
            path = Path(location).expanduser()
            if not path.is_absolute():
                raise SimileError(
                    f"The archive '{location}' is a relative path; give an absolute folder or a URL."
                )
            location = str(path)
        self.location = location.rstrip("/")
        self._files, self._folder = filesystem(self.location)
        self._data = f"{_DATA}{uuid.uuid4().hex}"

    def exists(self) -> bool:
        """Whether a whole archive is here."""
        return bool(self._files.get_file_info(self._at(_INDEX)).type == pafs.FileType.File)

    def index(self) -> Archive:
        """What `archive.json` says.

        Raises:
            SimileError: it is not there, is damaged, or a newer Simile wrote it.
        """
        if not self.exists():
            raise SimileError(
                f"'{self.location}' holds no whole archive: it has no {_INDEX}, which is written last; "
                "name another folder, or save the collection again."
            )
        with self._files.open_input_stream(self._at(_INDEX)) as stream:
            text = stream.read()
        try:
            archive = Archive.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or _INDEX
            raise SimileError(f"The archive '{self.location}' is damaged: {where}: {first['msg']}.") from None
        if archive.format > FORMAT:
            raise SimileError(
                f"The archive '{self.location}' has format {archive.format}, and this Simile reads up to "
                f"{FORMAT}; update Simile."
            )
        return archive

    @contextmanager
    def writing(self, name: str) -> Iterator[tuple[str, HashingFile]]:
        """A new file of this attempt: its path in the archive, and where its bytes go."""
        path = f"{self._data}/{name}"
        self._files.create_dir(self._at(path).rpartition("/")[0], recursive=True)
        with self._files.open_output_stream(self._at(path)) as stream:
            yield path, HashingFile(stream)

    def write(self, name: str, data: bytes) -> ArchivedFile:
        """A new file of this attempt with all its bytes."""
        with self.writing(name) as (path, file):
            file.write(data)
        return file.archived_as(path)

    def complete(self, archive: Archive) -> None:
        """Write `archive.json`, which makes the archive whole, then delete what other attempts left."""
        write_file(f"{self.location}/{_INDEX}", archive.model_dump_json(indent=1).encode())
        for entry in self._files.get_file_info(pafs.FileSelector(self._folder)):
            if entry.base_name.startswith(_DATA) and entry.base_name != self._data:
                self._files.delete_dir(entry.path)

    def open(self, file: ArchivedFile) -> pa.NativeFile:
        """For reading at any place."""
        return self._files.open_input_file(self._at(file.path))

    def read(self, file: ArchivedFile) -> bytes:
        """All bytes of a small file."""
        with self.open(file) as stream:
            return bytes(stream.read())

    def check(self, file: ArchivedFile) -> None:
        """Compare a file with its checksum, a piece at a time.

        Raises:
            SimileError: it is missing, or is not what was written.
        """
        hasher = hashlib.sha256()
        try:
            with self._files.open_input_stream(self._at(file.path)) as stream:
                while chunk := stream.read(_CHUNK):
                    hasher.update(chunk)
        except FileNotFoundError:
            raise SimileError(
                f"The archive '{self.location}' lacks its file {file.path}; take another copy of it."
            ) from None
        if hasher.hexdigest() != file.sha256:
            raise SimileError(
                f"The archive '{self.location}' is damaged: {file.path} is not what was written "
                "(its checksum differs); take another copy of it."
            )

    def _at(self, path: str) -> str:
        return f"{self._folder}/{path}"
