"""Changes by the owner of the page: tags and deletions, with the commands that a terminal has.

A command is a process of its own: building an index holds Python's lock for seconds, in which no visitor
would be answered. It takes the writer's lock, as an index job does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from page.collection_library import CollectionLibrary
from pipeline.errors import SimileError
from pipeline.points import checked_id

__all__ = ["READ_ONLY", "delete_pictures", "tag_pictures"]

READ_ONLY = "this page is read-only; whoever runs it can start it with --edit and --auth"
MOST = 600  # pictures of one change; as many as a visitor gathers
_ROOT = Path(__file__).resolve().parents[1]
_SECONDS = 600.0


def tag_pictures(
    library: CollectionLibrary, name: str, ids: Sequence[str], tag: str, *, remove: bool = False
) -> dict[str, Any]:
    """Give pictures a tag, or take it away; returns what the command says.

    Raises:
        SimileError: the page is read-only, too many pictures, or the command's own sentence.
    """
    named = _named(library, name, ids)
    return _run(
        library, "pipeline", "tag", name, *named, *(["--remove"] if remove else []), "--json", "--", tag
    )


def delete_pictures(library: CollectionLibrary, name: str, ids: Sequence[str]) -> dict[str, Any]:
    """Take pictures out of a collection; returns what the command says.

    Raises:
        SimileError: as `tag_pictures`.
    """
    return _run(library, "ray_jobs.delete", name, *_named(library, name, ids))


def _named(library: CollectionLibrary, name: str, ids: Sequence[str]) -> list[str]:
    """The pictures as arguments, once it is certain that they may be changed."""
    if not library.edits:
        raise SimileError(READ_ONLY)
    library.open(name)  # a name that begins with a dash is no collection
    if not 1 <= len(ids) <= MOST:
        raise SimileError(f"name 1 to {MOST} pictures at a time, not {len(ids):,}")
    return [f"--id={checked_id(one)}" for one in ids]


def _run(library: CollectionLibrary, module: str, *arguments: str) -> dict[str, Any]:
    home, url = library.where
    command = [sys.executable, "-m", module, *_with_home(arguments, home)]
    own = {**os.environ, **({"QDRANT_URL": url} if url else {})}
    try:
        done = subprocess.run(
            command, cwd=_ROOT, env=own, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SimileError("the change takes longer than ten minutes; use the command in a terminal") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        raise SimileError(said[-1].removeprefix("error: ") if said else "the change failed; the log says why")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _with_home(arguments: Sequence[str], home: str | None) -> list[str]:
    """The arguments with `--home` before a `--`, behind which everything is taken as it is."""
    if home is None:
        return list(arguments)
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return [
        *arguments[:at],
        "--home",
        str(Path(home).absolute()) if "://" not in home else home,
        *arguments[at:],
    ]
