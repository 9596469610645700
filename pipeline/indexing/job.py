"""An index job: preflight, then plan, embed, fit and load, with an account of every row."""

import json
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
from pipeline.indexing.plan import Plan, changed_rows, make_plan, rejects_of, rows_of
from pipeline.indexing.preflight import Checked, IndexJob, preflight
from pipeline.indexing.reservation import check_cluster, reserve
from pipeline.indexing.unchanged import record_covered
from pipeline.progress import say
from pipeline.staging.parts import Staging
from pipeline.staging.rejects import write_rejects

__all__ = ["Account", "IndexJob", "index_collection", "preflight"]

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
            reservation = reserve(job.actors, job.gpus_per_actor)
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
            gone = to_remove(job, others, plan.unreadable.num_rows)
            carried = carry(job, store, live, others - gone, stagings)
        account.source = account.rows["plan"] = plan.table.num_rows
        account.kept, account.removed = len(carried), len(gone if live.same_source else leaves)
        with account.timed("embed"):
            result = embed_missing(plan, checked.source, stagings, reservation, job.limit)
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


def _forget_older(plan: Plan, stagings: dict[str, Staging]) -> None:
    """Staged vectors of pictures that the rules of decoding changed since are made anew, and no others."""
    rules = plan.rules()
    count = sum(staging.forget_older(rules) for staging in stagings.values()) if rules else 0
    if count:
        say(
            f"{count:,} staged vectors are made anew: their pictures may have a colour profile or "
            "transparency, which older versions of Simile left out of account"
        )


def _settle(job: IndexJob, account: Account, plan: Plan, stagings: dict[str, Staging], changed: int) -> None:
    """Enter the rejects; a repeat of a rejected picture is rejected as well."""
    account.rejects = rejects_of(plan, stagings)
    if changed:
        account.rejects += changed_rows(plan, stagings)
    write_rejects(job.home, job.config.collection, account.rejects)
    bad = {reject.id for reject in account.rejects if reject.id}
    repeated = sum(point in bad for point in plan.table["id"].to_pylist() if point)
    account.rejected = plan.unreadable.num_rows + repeated
    share = account.rejected / max(1, account.source)
    for reject in account.rejects[:5]:
        say(f"rejected {reject.place}: {reject.reason}")
    if share > job.config.max_reject_fraction:
        raise SimileError(
            f"{account.rejected} of {account.source} rows were rejected ({share:.1%}), more than "
            f"max_reject_fraction ({job.config.max_reject_fraction:.0%}) allows; the collection stays as it "
            f"was. First reason: {account.rejects[0].reason} All of them: python -m ray_jobs.rejects "
            f"{job.config.collection}"
        )
