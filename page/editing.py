"""Changes by the owner of the page: tags and deletions, with the commands that a terminal has.

A command is a process of its own: building an index holds Python's lock for seconds, in which no visitor
would be answered. It takes the writer's lock, as an index job does.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from page.collection_library import CollectionLibrary
from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.points import checked_id
from pipeline.printable import printable

__all__ = ["READ_ONLY", "delete_pictures", "tag_pictures"]

log = logging.getLogger("simile")
READ_ONLY = "this page is read-only; whoever runs it can start it with --edit and --auth"
MOST = 600  # pictures of one change; as many as a visitor gathers
_ROOT = Path(__file__).resolve().parents[1]
_SECONDS = 600.0


def tag_pictures(
    library: CollectionLibrary, name: str, ids: Sequence[str], tag: str, *, remove: bool = False
) -> dict[str, Any]:
    """Give pictures a tag, or remove it; returns what the command says.

    Raises:
        SimileError: the page is read-only, too many pictures, or the command's own sentence.
    """
    named = _named(library, name, ids)
    flags = ["--json", *(["--remove"] if remove else [])]
    # Behind `--` a tag may begin with a dash.
    return _run(library, name, ["pipeline", "tag", *_home(library), *flags, *named, "--", name, tag])


def delete_pictures(library: CollectionLibrary, name: str, ids: Sequence[str]) -> dict[str, Any]:
    """Take pictures out of a collection; returns what the command says.

    Raises:
        SimileError: as `tag_pictures`.
    """
    return _run(library, name, ["ray_jobs.delete", *_home(library), *_named(library, name, ids), name])


def _named(library: CollectionLibrary, name: str, ids: Sequence[str]) -> list[str]:
    """The pictures as arguments, once it is certain that they may be changed."""
    if not library.edits:
        raise SimileError(READ_ONLY)
    library.open(name)  # which a name that begins with a dash cannot be
    if not 1 <= len(ids) <= MOST:
        raise SimileError(f"name 1 to {MOST} pictures at a time, not {len(ids):,}")
    return [f"--id={checked_id(one)}" for one in ids]


def _home(library: CollectionLibrary) -> list[str]:
    home = library.where[0]
    if home is None:
        return []
    return ["--home", home if is_remote(home) else str(Path(home).absolute())]


def _run(library: CollectionLibrary, name: str, command: Sequence[str]) -> dict[str, Any]:
    url = library.where[1]
    own = {**os.environ, **({"QDRANT_URL": url} if url else {})}
    try:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=_ROOT,
            env=own,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SimileError("the change takes longer than ten minutes; use the command in a terminal") from None
    if done.returncode:
        log.warning("a change of '%s' failed: %s", name, printable(done.stderr[-2000:]))
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        raise SimileError(said[-1].removeprefix("error: ") if said else "the change failed; the log says why")
    library.open(name).refresh()
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
