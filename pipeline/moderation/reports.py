"""What visitors said of pictures: how often each was reported, and why. Nothing is kept of who said it.

<home>/reports/<collection>/<point id>.json: {"reasons": {"offensive": 2}, "first": "…", "last": "…"}
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pyarrow.fs as pafs

from pipeline.errors import SimileError
from pipeline.home import filesystem, listed, write_file
from pipeline.parsing import parse_json
from pipeline.points import checked_id

__all__ = ["MOST_REPORTED", "REASONS", "Reported", "forget_reports", "read_reports", "report"]

MOST_REPORTED = 1_000  # pictures of a collection: 150 kB of small files
_MOST_TIMES = 10_000  # that one reason of a picture is counted
REASONS = {
    "offensive": "It is offensive",
    "private": "It shows somebody who did not agree",
    "copyright": "It is the work of somebody who did not agree",
    "wrong": "What is said about it is wrong",
}
_lock = threading.Lock()


@dataclass(frozen=True)
class Reported:
    """What was said of one picture.

    Attributes:
        id: of the point.
        reasons: name in `REASONS` -> how often.
        first, last: ISO 8601, UTC.
    """

    id: str
    reasons: dict[str, int]
    first: str
    last: str

    @property
    def times(self) -> int:
        """How often it was reported."""
        return sum(self.reasons.values())


def report(home: str, collection: str, point: str, reason: str) -> Reported:
    """Count a report.

    Args:
        point: id of a stored picture.
        reason: a name in `REASONS`.

    Raises:
        SimileError: there is no such reason, this is no id, or too many pictures were reported.
    """
    if reason not in REASONS:
        raise SimileError(f"there is no reason {reason!r:.60}; there are: {', '.join(REASONS)}")
    point, now = checked_id(point), datetime.now(UTC).isoformat(timespec="seconds")
    with _lock:  # one page writes a home
        told = _read(home, collection, point)
        if told is None and len(_files(home, collection)) >= MOST_REPORTED:
            raise SimileError("The list of reports is full; tell whoever runs this page.")
        reasons = dict(told.reasons) if told else {}
        reasons[reason] = min(_MOST_TIMES, reasons.get(reason, 0) + 1)
        made = Reported(point, reasons, told.first if told else now, now)
        about = {"reasons": made.reasons, "first": made.first, "last": made.last}
        write_file(_file(home, collection, point), json.dumps(about).encode())
    return made


def read_reports(home: str, collection: str) -> list[Reported]:
    """All reports of a collection, the most frequent first."""
    found = (_read(home, collection, point) for point in _files(home, collection))
    return sorted((one for one in found if one), key=lambda one: (-one.times, one.id))


def forget_reports(home: str, collection: str, point: str) -> None:
    """Forget what was said of a picture; nothing where nothing was."""
    files, path = filesystem(_file(home, collection, checked_id(point)))
    if files.get_file_info(path).type == pafs.FileType.File:
        files.delete_file(path)


def _folder(home: str, collection: str) -> str:
    return f"{home}/reports/{collection}"


def _file(home: str, collection: str, point: str) -> str:
    return f"{_folder(home, collection)}/{point}.json"


def _files(home: str, collection: str) -> list[str]:
    """Ids of the pictures that were reported."""
    found = listed(_folder(home, collection))
    return [PurePosixPath(each.path).stem for each in found if each.path.endswith(".json")]


def _read(home: str, collection: str, point: str) -> Reported | None:
    files, path = filesystem(_file(home, collection, point))
    if files.get_file_info(path).type != pafs.FileType.File:
        return None
    with files.open_input_file(path) as file:
        try:
            about = parse_json(bytes(file.read()))
            reasons = {name: int(count) for name, count in about["reasons"].items() if name in REASONS}
            return Reported(point, reasons, str(about["first"]), str(about["last"]))
        except (ValueError, TypeError, LookupError, AttributeError):
            return None  # damaged: the next report begins anew
