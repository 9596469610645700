"""An index job: preflight, then plan, embed, fit and load, with an account of every row."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace

from pipeline.errors import SimileError
from pipeline.indexing.account import Account
from pipeline.indexing.build import build
from pipeline.indexing.carried import beside, carry, leaving, to_remove
from pipeline.indexing.delete import deleted_ids
from pipeline.indexing.embed import embed_missing
from pipeline.indexing.fenced_store import fenced
from pipeline.indexing.live import live_of
from pipeline.indexing.lock import writer_lock
from pipeline.indexing.plan import Plan, make_plan, rejects_of, rows_of
from pipeline.indexing.preflight import Checked, IndexJob, preflight
from pipeline.indexing.reservation import Reservation, check_cluster, reserve
from pipeline.indexing.unchanged import record_covered
from pipeline.progress import say
from pipeline.sources import Source
from pipeline.staging.parts import Staging
from pipeline.staging.rejects import write_rejects
from pipeline.store import Store

__all__ = ["Account", "IndexJob", "index_collection", "preflight", "too_many"]

FEW_REJECTS = 10  # fewer do not stop a job: a share of a few rows says little
_REPORT = "job.json"  # attachment of a version: the summary of the job that wrote it


def index_collection(job: IndexJob, checked: Checked) -> Account:
    """Run the job on the Ray that this process is connected to.

    Args:
        job: what was asked for.
        checked: from `preflight(job)`.

    Raises:
        SimileError: a reservation that cannot be had, another writer, too many rejects, a store that stays
            away, or an account that does not add up. The alias then stays where it was, and what is staged
            stays staged.
    """
    config = job.config
    account = Account(config.collection, encoders=list(checked.encoders))
    with writer_lock(job.home, config.collection) as lock:
        store = fenced(checked.store, lock.check)
        checked = replace(checked, store=store)
        with account.timed("reserve"):
            check_cluster(job.home, store)
            reserved = _reserving(job, store)
        stagings = {
            name: Staging(job.home, config.collection, description.fingerprint)
            for name, description in checked.encoders.items()
        }
        if job.retry_rejects:
            retried = sum(staging.forget_rejects() for staging in stagings.values())
            say(f"trying {retried:,} rejected rows again")
        with account.timed("plan"):
            plan = make_plan(config.collection, checked.source, job.limit)
            account.start_up["plan"] = plan.start_up
            live = live_of(store, config, checked.encoders, checked.source, job.add)
            leaves = leaving(job, store, live, plan)
            plan = plan.without(deleted_ids(store, live.name))
            others = beside(job, store, live, plan)
            _forget_older(plan, stagings)
            gone = to_remove(job, others, plan.unreadable.num_rows + checked.source.unlisted)
            carried = carry(job, store, live, others - gone, stagings)
        account.source = account.rows["plan"] = plan.rows
        account.left_out = checked.source.left_out | _beyond(checked.source, plan)
        account.kept, account.removed = len(carried), len(gone if live.same_source else leaves)
        with account.timed("embed"):
            result = embed_missing(plan, checked.source, stagings, reserved, job.limit)
            account.embedded = account.rows["embed"] = result.embedded
            account.actors, account.staged_bytes = result.actors, result.staged_bytes
            account.single_colour = result.single_colour
            account.start_up["embed"] = min((a.start_up for a in result.actors.values()), default=0.0)
            _settle(job, account, plan, stagings, result.changed)
        rejected = {reject.id for reject in account.rejects}
        rows = rows_of(plan, config.credit or checked.source.credit)
        rows = {point: row for point, row in rows.items() if point not in rejected}
        build(job, checked, live, plan, stagings, rows | carried, account, lock.fence)
        if account.written or account.removed:
            store.attach(account.version, _REPORT, json.dumps(account.summary()).encode())
        record_covered(job, checked, account)
    return account


def _reserving(job: IndexJob, store: Store) -> Callable[[], Reservation]:
    """What gives the embed stage its actors.

    What the cluster can never give is said now, before the source is read. A job that waits for nodes asks
    for them only when it knows that there is something to embed.
    """
    if job.wait is None:
        reservation = reserve(job.actors, job.gpus_per_actor)
        return lambda: reservation

    def wait_and_look() -> Reservation:
        reservation = reserve(job.actors, job.gpus_per_actor, job.wait)
        check_cluster(job.home, store)  # nodes may have come
        return reservation

    return wait_and_look


def _forget_older(plan: Plan, stagings: dict[str, Staging]) -> None:
    """Staged vectors of pictures that the rules of decoding changed since are made anew, and no others."""
    rules = plan.rules()
    count = sum(staging.forget_older(rules) for staging in stagings.values()) if rules else 0
    if count:
        say(
            f"{count:,} staged vectors are made anew: their pictures may have a colour profile or "
            "transparency, which older versions of Simile left out of account"
        )


def _beyond(source: Source, plan: Plan) -> dict[str, int]:
    """Rows that a limit leaves out."""
    beyond = source.rows + len(source.faults) - plan.rows
    return {"beyond --limit": beyond} if beyond else {}


def _settle(
    job: IndexJob, account: Account, plan: Plan, stagings: dict[str, Staging], changed: set[str]
) -> None:
    """Enter the rejects; a repeat of a rejected picture is rejected as well."""
    account.rejects = rejects_of(plan, stagings, changed)
    write_rejects(job.home, job.config.collection, account.rejects)
    bad = {reject.id for reject in account.rejects if reject.id}
    repeated = sum(point in bad for point in plan.table["id"].to_pylist() if point)
    account.rejected = plan.unreadable.num_rows + len(plan.faults) + repeated
    for reject in account.rejects[:5]:
        say(f"rejected {reject.place}: {reject.reason}")
    if too_many(account.rejected, account.source, job.config.max_reject_fraction):
        share, allowed = account.rejected / account.source, job.config.max_reject_fraction
        raise SimileError(
            f"{account.rejected} of {account.source} rows were rejected ({share:.1%}), more than "
            f"max_reject_fraction ({allowed:.0%}) allows; the collection stays as it was. Fewer than "
            f"{FEW_REJECTS} rejects never stop a job, unless they are more than half of the rows or "
            f"max_reject_fraction is 0. First reason: {account.rejects[0].reason}. All of them: "
            f"{shlex.join(['python', '-m', 'ray_jobs.rejects', job.config.collection, '--home', job.home])}"
        )


def too_many(rejected: int, rows: int, fraction: float) -> bool:
    """Whether a job stops because of its rejects: one bad picture of ten is no reason, half of them are.

    >>> too_many(1, 10, 0.05), too_many(12, 100, 0.05), too_many(2, 3, 0.05), too_many(1, 1000, 0.0)
    (False, True, True, True)
    """
    if rejected <= fraction * rows:
        return False
    return rejected >= FEW_REJECTS or 2 * rejected > rows or fraction == 0
