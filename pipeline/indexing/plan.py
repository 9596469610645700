"""Stage 1, plan: the units of the source against those that the live version was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.editing.tags import own_tags, with_tags
from pipeline.errors import SimileError
from pipeline.indexing.account import Account
from pipeline.indexing.catalogue import LiveMarks
from pipeline.indexing.fields import joined_kinds
from pipeline.indexing.live import Live, live_of, says_the_same, source_key
from pipeline.indexing.preflight import Checked, IndexJob
from pipeline.points import RESERVED
from pipeline.progress import say
from pipeline.sources import Fault, Unit
from pipeline.staging.ids import words_of
from pipeline.staging.parts import Parts
from pipeline.staging.rejects import read_rejects
from pipeline.store import Store
from pipeline.store.builds import being_changed
from pipeline.store.read_points import all_points, in_batches
from pipeline.store.unit_record import Record, read_record
from pipeline.version import simile_version

__all__ = [
    "facts_of",
    "faults_of",
    "left_out_of",
    "nothing_new",
    "refuse_most_leaving",
    "refuse_small_source",
    "state_of",
]

_PAGE = 1_000  # points; as numbers they take a fraction of what their ids take as text
_EXAMPLES = 3  # pictures that are named, of those that leave


def nothing_new(job: IndexJob, checked: Checked) -> Account | None:
    """The account of a job that finds nothing new; None where only a whole job can tell.

    That is so where the last job of the live version had the same settings, and its source the same units.
    Nothing is read but this, and Ray is not needed.
    """
    store, config = checked.store, job.config
    if job.sync or job.refit or job.retry_rejects:
        return None
    live = live_of(store, config, checked.encoders, checked.source, job.add)
    if live.version is None or not (live.same_source and live.same_settings):
        return None
    name, manifest = live.version.name, live.version.manifest
    record = read_record(store, name)
    if record is None or not record.whole or record.job != facts_of(job, checked):
        return None
    if not _same_units(record, checked.units) or being_changed(store, name):
        return None
    kinds = with_tags(joined_kinds(manifest.kinds, checked.kinds, config, job.add), own_tags(store, name))
    if not says_the_same(manifest, config, kinds) or store.count(name) != manifest.rows:
        return None
    rejects = read_rejects(job.home, config.collection) or []
    if len(rejects) != record.rejected:
        return None
    account = Account(config.collection, version=name, encoders=list(checked.encoders))
    account.rejects.add(rejects)
    account.source, account.rejected, account.kept = record.source, record.rejected, record.kept
    account.left_out = left_out_of(checked, account.source)
    account.skipped = account.source - account.rejected
    return account


def _same_units(record: Record, units: Sequence[Unit]) -> bool:
    first = record.entries[: len(units)]
    same = [entry.unit for entry in first] == [unit.name for unit in units]
    return same and all(entry.rows is None for entry in first)


def facts_of(job: IndexJob, checked: Checked) -> list[Any]:
    """All that decides what a job finds, and that neither units nor the live version's own keys say."""
    source, config = checked.source, job.config
    return [
        source_key(source, config),
        source.revision,
        job.limit,
        config.credit or source.credit,
        config.max_reject_fraction,
        simile_version(),
        config.url_column,
        [len(source.faults), sorted(map(list, source.left_out.items()))],  # lists, as JSON gives them back
        # Flags that may turn rejects into rows.
        job.follow_links,
        job.allow_private,
    ]


def faults_of(job: IndexJob, checked: Checked) -> Sequence[Fault]:
    """Rows beside those of the units that the listing of the source shows to be none."""
    whole = job.limit is None or job.limit >= checked.source.rows
    return checked.source.faults if whole else ()


def left_out_of(checked: Checked, rows: int) -> dict[str, int]:
    """Why -> what the listing of the source leaves out, and what a limit does.

    Args:
        rows: of the job's account.
    """
    beyond = checked.source.rows + len(checked.source.faults) - rows
    return checked.source.left_out | ({"beyond --limit": beyond} if beyond else {})


def state_of(
    store: Store, live: Live, parts: Parts, *, ask_points: bool = False
) -> Record | LiveMarks | None:
    """What the live version holds: by its record, where this home has its parts; else by all its points.

    Args:
        ask_points: the record is known to be wrong.
    """
    if live.version is None:
        return None
    record, staged = read_record(store, live.version.name), parts.names()
    if record and record.whole and not ask_points and record.units() <= staged:
        return record
    entries = [entry for entry in record.entries if entry.unit in staged] if record else []
    words, marks = [np.empty((0, 2), np.uint64)], [np.empty(0, np.uint64)]
    points = all_points(store, live.version.name, fields=[(RESERVED, "mark")])
    for page in in_batches(points, _PAGE):
        words.append(words_of(str(point.id) for point in page))
        own = [(point.payload or {}).get(RESERVED) or {} for point in page]
        marks.append(np.array([int(each.get("mark") or "0", 16) for each in own], np.uint64))
    return LiveMarks(np.concatenate(words), np.concatenate(marks), entries)


def refuse_small_source(job: IndexJob, live: Live, rows: int) -> None:
    """Before anything is read: a source of so few rows that most pictures must leave.

    Raises:
        SimileError: nobody said --replace.
    """
    if live.version is None or (live.same_source and not job.sync) or job.replace:
        return
    there = live.version.manifest.rows
    if 2 * (there - rows) > there:
        raise SimileError(
            f"{job.config.source} has {rows:,} rows, so that at least {there - rows:,} of the {there:,} "
            f"pictures of '{job.config.collection}' would be removed; use --replace if that is intended, or "
            f"{_to_keep(live)} to keep them. Nothing was changed."
        )


def refuse_most_leaving(job: IndexJob, store: Store, live: Live, gone: Sequence[str], there: int) -> None:
    """Say which live points the job does away with: it is of another source, or of --sync.

    Raises:
        SimileError: they are more than half of all, and nobody said --replace.
    """
    if not gone or live.version is None:
        return
    few = store.retrieve(live.version.name, list(gone[:_EXAMPLES]), fields=[(RESERVED, "places")])
    places = [str(((point.payload or {}).get(RESERVED) or {}).get("places", ["?"])[0]) for point in few]
    found = (
        f"{len(gone):,} of the {there:,} pictures of '{job.config.collection}' are not in {job.config.source}"
    )
    if 2 * len(gone) > there and not job.replace:
        raise SimileError(
            f"{found} and would be removed, such as {', '.join(places)}; use --replace if that is intended, "
            f"or {_to_keep(live)} to keep them. Nothing was changed."
        )
    say(f"{found} and are removed, such as {', '.join(places)}")


def _to_keep(live: Live) -> str:
    return "leave out --sync" if live.same_source else "use --add"
