"""Points that the record of a version does not name are looked for in all that this home has staged.

A version has no record after its deleted points were asked back, or where a job with another home wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np

from pipeline.errors import SimileError
from pipeline.indexing.catalogue import Catalogue
from pipeline.indexing.choice import KEPT
from pipeline.indexing.unit_ids import Reading, read_ids
from pipeline.staging.ids import find_words
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from pipeline.store.unit_record import Entry

__all__ = ["adopt", "refuse_missing"]


def adopt(
    words: np.ndarray, units: Set[str], parts: Parts, stagings: Mapping[str, Staging]
) -> Sequence[Entry]:
    """Rows of staged units that hold some points, each point in the first unit that has it.

    Args:
        words: (N, 2) uint64, ids of the points.
        units: that are known already, and hold none of them.
    """
    there = parts.names().intersection(*(staging.names() for staging in stagings.values())) - units
    left, entries = words[np.lexsort((words[:, 1], words[:, 0]))], []
    for unit in sorted(there):
        if not len(left):
            break
        entry = Entry(unit, None, parts.credit(unit))
        ids = read_ids(parts, tuple(stagings.values()), Reading(0, entry, KEPT, None)).ids
        at = find_words(left, ids.words)
        if (at >= 0).any():
            entries.append(Entry(unit, ids.rows[at >= 0], entry.credit))
            left = np.delete(left, at[at >= 0], axis=0)
    return entries


def refuse_missing(collection: str, catalogue: Catalogue, stagings: Mapping[str, Staging]) -> None:
    """Points that stay need vectors of every encoder of a new version.

    Raises:
        SimileError: an encoder has none of some of them.
    """
    for name, staging in stagings.items():
        there = staging.names()
        lacking = [at for at in catalogue.survivors if catalogue.entries[at].unit not in there]
        missing = len(catalogue.lost) + sum(len(catalogue.rows(catalogue.points, at)) for at in lacking)
        if missing:
            raise SimileError(
                f"'{collection}' holds {len(catalogue.gone):,} pictures beside those of this job (added, "
                f"gone from the source, or beyond --limit), and {missing:,} have no vectors of '{name}': a "
                "new version would lose them. Use a source that has them all, or another collection name; "
                "--sync, without --limit, builds without them."
            )
