"""The files of another commit of this repository, to be measured beside those of this one."""

import io
import subprocess
import tarfile
from pathlib import Path

__all__ = ["files_of"]

_ROOT = Path(__file__).resolve().parent.parent


def files_of(commit: str, folder: Path) -> None:
    """Writes the files of a commit into a new folder.

    Raises:
        SystemExit: git does not know the commit.
    """
    made = subprocess.run(["git", "archive", commit], cwd=_ROOT, capture_output=True, check=False)
    if made.returncode:
        raise SystemExit(f"error: git has no files of '{commit}': {made.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(folder, filter="data")
