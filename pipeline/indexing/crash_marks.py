"""Find the picture that kills workers: a mark is made before the work on it and removed after the work.

A codec that crashes, or memory that runs out, leaves no exception. Without this the same batch would kill
one worker after the other, for ever.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyarrow.fs as pafs

from pipeline.home import filesystem, listed, remove_folder, write_file
from pipeline.staging.parts import Parts

__all__ = ["MOST_DEATHS", "Marks"]

MOST_DEATHS = (
    2  # workers that a picture may kill before it is rejected; a single death may have another cause
)


@dataclass(frozen=True)
class Marks:
    """Files in a folder, given as path or URL, which is there only while something is or was marked."""

    folder: str

    @classmethod
    def beside(cls, parts: Parts) -> "Marks":
        """The marks of the jobs that stage in `parts`."""
        return cls(f"{parts.folder}/at-work")

    def clear(self) -> None:
        """Forget all deaths: nothing is at work any more."""
        remove_folder(self.folder)

    @contextmanager
    def marked(self, name: str) -> Iterator[int]:
        """Mark `name` as being worked on; yields how often a worker died of it before."""
        files, folder = filesystem(self.folder)
        earlier = [file.path for file in listed(self.folder) if file.base_name.partition(".")[0] == name]
        mark = f"{name}.{uuid.uuid4().hex}"
        write_file(f"{self.folder}/{mark}", b"")
        try:
            yield len(earlier)
        finally:
            _remove(files, f"{folder}/{mark}")
        for path in earlier:  # the work went well, so the earlier deaths had another cause
            _remove(files, path)


def _remove(files: pafs.FileSystem, path: str) -> None:
    """Take a mark away, unless it is gone: by a worker that was given up, and lives, or by `clear` of a job
    whose lock was lost and that did not know yet."""
    with suppress(FileNotFoundError):
        files.delete_file(path)
