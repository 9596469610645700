"""Points of the live version that a new version takes over although the job's rows do not name them."""

import json
from collections.abc import Mapping

from pipeline.errors import SimileError
from pipeline.indexing.live import Live
from pipeline.indexing.plan import Plan
from pipeline.indexing.preflight import IndexJob
from pipeline.points import RESERVED, Row
from pipeline.progress import say
from pipeline.staging.parts import Staging
from pipeline.store import Store
from pipeline.store.read_points import all_points

__all__ = ["beside", "carry", "leaving", "to_remove"]

_BATCH = 500  # points with thumbnails held at once
_EXAMPLES = 3  # pictures that are named, of those that leave


def beside(job: IndexJob, store: Store, live: Live, plan: Plan) -> set[str]:
    """Ids of live points that other jobs brought: by --add, from rows gone since, or beyond a --limit.

    Only where this job builds a new version in place of one of the same source. Where it goes on with the
    live version they stay there anyway, and another source without --add is a new collection of that name.
    """
    if live.name is None or not live.same_source or (live.same_settings and not job.refit):
        return set()
    there = {str(point.id) for point in all_points(store, live.name, fields=[])}
    return there - set(plan.table["id"].to_pylist())


def carry(
    job: IndexJob, store: Store, live: Live, ids: set[str], stagings: Mapping[str, Staging]
) -> dict[str, Row]:
    """Id -> row of these live points, whose vectors must be staged.

    Raises:
        SimileError: an encoder has no vectors of some of them; before anything is embedded.
    """
    if not ids or live.name is None:
        return {}
    for name, staging in stagings.items():
        missing = len(ids - staging.ids())
        if missing:
            raise SimileError(
                f"'{job.config.collection}' holds {len(ids):,} pictures beside those of this job (added, "
                f"gone from the source, or beyond --limit), and {missing:,} have no vectors of '{name}': a "
                "new version would lose them. Take a source that has them all, or another collection's name; "
                "--sync, without --limit, builds without them."
            )
    return _rows(store, live.name, ids)


def _rows(store: Store, version: str, ids: set[str]) -> dict[str, Row]:
    """What the store knows of them."""
    rows, wanted = {}, sorted(ids)
    for start in range(0, len(wanted), _BATCH):
        for record in store.retrieve(version, wanted[start : start + _BATCH]):
            payload = dict(record.payload or {})
            own = payload.pop(RESERVED)
            text = json.dumps(payload, ensure_ascii=False)
            rows[str(record.id)] = Row(text, tuple(own["places"]), own.get("credit"))
    return rows


def leaving(job: IndexJob, store: Store, live: Live, plan: Plan) -> set[str]:
    """Ids of live points that this job does away with: it is of another source, or of --sync.

    Raises:
        SimileError: they are more than half of all, and nobody said --replace. Nothing was embedded yet.
    """
    if live.version is None or (live.same_source and not job.sync):
        return set()
    there = {str(point.id) for point in all_points(store, live.version.name, fields=[])}
    gone = there - set(plan.table["id"].to_pylist())
    if not gone:
        return gone
    name, source = job.config.collection, job.config.source
    few = store.retrieve(live.version.name, sorted(gone)[:_EXAMPLES], fields=[(RESERVED, "places")])
    places = [str(((point.payload or {}).get(RESERVED) or {}).get("places", ["?"])[0]) for point in few]
    found = f"{len(gone):,} of the {len(there):,} pictures of '{name}' are not in {source}"
    if 2 * len(gone) > len(there) and not job.replace:
        keep = "leave out --sync" if live.same_source else "say --add"
        raise SimileError(
            f"{found} and would leave, such as {', '.join(places)}; say --replace if that is meant, or "
            f"{keep} to keep them. Nothing was changed."
        )
    say(f"{found} and leave, such as {', '.join(places)}")
    return gone


def to_remove(job: IndexJob, gone: set[str], unreadable: int) -> set[str]:
    """Points that --sync removes. What could not be read may be there again tomorrow."""
    if not job.sync or not gone:
        return set()
    if unreadable:
        raise SimileError(
            f"{unreadable:,} rows of {job.config.source} could not be read, so nobody knows whether "
            f"{len(gone):,} points are really gone; nothing was removed. Mend the source, "
            "or leave out --sync."
        )
    return gone
