"""An index job: preflight, then plan, embed, catalogue, fit, load and check; an account of every row."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace

from pipeline.cluster.reach import check_cluster
from pipeline.cluster.reservation import Reservation, check_for_one_node, reserve
from pipeline.editing.delete import deleted_ids
from pipeline.encoders.precomputed import is_precomputed
from pipeline.errors import SimileError
from pipeline.indexing.account import Account
from pipeline.indexing.adopt import adopt, refuse_missing
from pipeline.indexing.build import base_of, build
from pipeline.indexing.catalogue import Asked, catalogue_of
from pipeline.indexing.embed import embed_units
from pipeline.indexing.live import Live, live_of, settings_key, source_key
from pipeline.indexing.plan import (
    faults_of,
    left_out_of,
    refuse_most_leaving,
    refuse_small_source,
    state_of,
)
from pipeline.indexing.preflight import Checked, IndexJob, forget_old_tars, preflight
from pipeline.indexing.staged import Staged
from pipeline.locks.fenced_store import fenced
from pipeline.locks.lock import writer_lock
from pipeline.progress import say
from pipeline.staging.parts import Parts
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging
from pipeline.store import Store
from pipeline.store.builds import being_changed
from pipeline.store.unit_record import Record, forget_record

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
        parts = Parts(job.home, config.collection)
        stagings = {
            name: Staging(job.home, config.collection, description.fingerprint)
            for name, description in checked.encoders.items()
        }
        with account.timed("plan"):
            live = live_of(store, config, checked.encoders, checked.source, job.add)
            if live.older:
                say(
                    f"'{config.collection}' was indexed by an older version of Simile, which prepared "
                    "pictures in another way: every picture is embedded again. Until that is done, the "
                    "collection is searched as it was."
                )
            faults = faults_of(job, checked)
            rows = sum(unit.rows for unit in checked.units)
            refuse_small_source(job, live, rows)
            forget_old_tars(job, checked.source)
            account.source = account.rows["plan"] = rows + len(faults)
            account.left_out = left_out_of(checked, account.source)
        with account.timed("embed"):
            if job.retry_rejects:
                say("trying rejected rows again")
                if live.name:  # by its record, a row that is a picture now would be in the version already
                    forget_record(store, live.name)
            credit = config.credit or checked.source.credit
            given = {
                name: each.dimension
                for name, each in checked.encoders.items()
                if is_precomputed(name) and each.dimension
            }
            result = embed_units(
                checked.source,
                checked.units,
                parts,
                stagings,
                reserved,
                credit,
                job.retry_rejects,
                given,
                lock,
            )
            account.embedded = account.rows["embed"] = result.embedded
            account.actors, account.staged_bytes = result.actors, result.staged_bytes
            account.single_colour = result.single_colour
            account.start_up["embed"] = min((a.start_up for a in result.actors.values()), default=0.0)
        with account.timed("catalogue"):
            staged = _staged(job, checked, live, parts, stagings)
            account.rows["catalogue"] = staged.catalogue.source
            staged.catalogue.rejects.add(
                [Reject(None, "plan", f.reason, place=f.place, kind="no picture") for f in faults]
            )
            account.rejects = staged.catalogue.rejects
            account.source = staged.catalogue.source + len(faults)
            account.rejected = staged.catalogue.rejected + len(faults)
            lock.check()  # before the rejects are written
            _settle(job, account)
            refuse_most_leaving(job, store, live, staged.removed, staged.catalogue.live)
            _refuse_unsure(job, checked, staged)
        gone = len(staged.catalogue.gone)
        account.kept, account.removed = (gone, 0) if staged.keeps else (0, gone)
        build(job, checked, live, staged, account, lock.fence)
        if account.written or account.removed:
            store.attach(account.version, _REPORT, json.dumps(account.summary()).encode())
    return account


def _staged(
    job: IndexJob, checked: Checked, live: Live, parts: Parts, stagings: dict[str, Staging]
) -> Staged:
    """What the version will be made of.

    Raises:
        SimileError: points that stay have no vectors of some encoder.
    """
    store, base = checked.store, base_of(job, live)
    names = [unit.name for unit in checked.units]
    asked = Asked(
        names,
        job.config.credit or checked.source.credit,
        source_key(checked.source, job.config),
        state_of(store, live, parts),
        keeps=live.same_source and not job.sync,
        deleted=sorted(deleted_ids(store, live.name)),
        anew=base is None,
    )
    rows = sum(unit.rows for unit in checked.units)
    if live.version and not (isinstance(asked.live, Record) and asked.live.units() <= set(names)):
        rows += live.version.manifest.rows

    def made_of(asked: Asked) -> Staged:
        return Staged(catalogue_of(asked, parts, stagings, rows), asked.keeps, parts, stagings)

    staged = made_of(asked)
    if isinstance(asked.live, Record) and live.name and not _as_recorded(job, checked, live.name, staged):
        asked = replace(asked, live=state_of(store, live, parts, ask_points=True))
        staged = made_of(asked)
    if asked.keeps and len(staged.catalogue.lost):
        known = {entry.unit for entry in staged.catalogue.entries}
        staged = made_of(replace(asked, adopted=adopt(staged.catalogue.lost, known, parts, stagings)))
    if asked.anew and asked.keeps:
        refuse_missing(job.config.collection, staged.catalogue, stagings)
    return staged


def _as_recorded(job: IndexJob, checked: Checked, version: str, staged: Staged) -> bool:
    """Whether a live version holds what its record says, or that and part of the very change that follows."""
    begun = being_changed(checked.store, version)
    if begun:
        return begun == staged.key(settings_key(job.config, checked.encoders), in_base=True)
    return staged.catalogue.live == checked.store.count(version)


def _refuse_unsure(job: IndexJob, checked: Checked, staged: Staged) -> None:
    """--sync removes nothing while rows cannot be read: they may be there again tomorrow."""
    unsure = staged.catalogue.unreadable + checked.source.unlisted
    if job.sync and staged.removed and unsure:
        raise SimileError(
            f"{unsure:,} rows of {job.config.source} could not be read, so it is unknown whether "
            f"{len(staged.removed):,} points are really gone; nothing was removed. Correct the source, or "
            "leave out --sync."
        )


def _reserving(job: IndexJob, store: Store) -> Callable[[], Reservation]:
    """What gives the embed stage its actors.

    What the cluster can never give is said now, before the source is read. A job that waits for nodes asks
    for them only when it knows that there is something to embed.
    """
    if job.wait is None:
        reservation = reserve(job.actors, job.gpus_per_actor)
        return lambda: reservation

    if not store.parallel_writes:
        check_for_one_node(job.actors, job.gpus_per_actor)

    def wait_and_look() -> Reservation:
        reservation = reserve(job.actors, job.gpus_per_actor, job.wait, grows=store.parallel_writes)
        check_cluster(job.home, store)  # nodes may have come
        return reservation

    return wait_and_look


def _settle(job: IndexJob, account: Account) -> None:
    """Keep the rejects, and stop where they are too many."""
    account.rejects.write(job.home, job.config.collection)
    for reject in account.rejects.first:
        say(f"rejected {reject.place}: {reject.reason}")
    if too_many(account.rejected, account.source, job.config.max_reject_fraction):
        share, allowed = account.rejected / account.source, job.config.max_reject_fraction
        raise SimileError(
            f"{account.rejected} of {account.source} rows were rejected ({share:.1%}), more than "
            f"max_reject_fraction ({allowed:.0%}) allows; the collection stays as it was. Fewer than "
            f"{FEW_REJECTS} rejects never stop a job, unless they are more than half of the rows or "
            "max_reject_fraction is 0. If the reasons were temporary, --retry-rejects tries these rows "
            f"again. First reason: {account.rejects.first[0].reason}. All of them: "
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
