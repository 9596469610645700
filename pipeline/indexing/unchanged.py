"""Whether a job has anything to do, known from the listing of its source alone, without Ray."""

import json
from typing import Any

from pipeline.images import RULES
from pipeline.indexing.account import Account
from pipeline.indexing.fields import joined_kinds
from pipeline.indexing.live import live_of, says_the_same, source_key
from pipeline.indexing.preflight import Checked, IndexJob
from pipeline.staging.rejects import read_rejects
from pipeline.store import Store
from pipeline.version import simile_version

__all__ = ["forget_covered", "record_covered", "unchanged"]

_COVERED = "covered.json"  # attachment of a version: the source and settings of the last job, and its counts


def unchanged(job: IndexJob, checked: Checked) -> Account | None:
    """The account of a job that finds nothing new; None where only a whole job can tell.

    That is so where the last job of the live version had the same settings, and its source the same files
    with the same sizes and modification times (on the Hub: the same commit). Nothing is read but this.
    """
    store, config = checked.store, job.config
    if job.sync or job.refit or job.retry_rejects or checked.source.revision is None:
        return None
    live = live_of(store, config, checked.encoders, checked.source, job.add)
    if live.version is None or not (live.same_source and live.same_settings):
        return None
    name, manifest = live.version.name, live.version.manifest
    data = store.attachment(name, _COVERED)
    covered = json.loads(data) if data else {}
    kinds = joined_kinds(manifest.kinds, checked.kinds, config, job.add)
    if covered.get("job") != _facts(job, checked) or not says_the_same(manifest, config, kinds):
        return None
    rejects = read_rejects(job.home, config.collection) or []
    if len(rejects) != covered["rejected"] or store.count(name) != manifest.rows:
        return None
    account = Account(config.collection, version=name, encoders=list(checked.encoders), rejects=rejects)
    account.source, account.rejected, account.kept = (covered[key] for key in ("source", "rejected", "kept"))
    account.skipped = account.source - account.rejected
    return account


def record_covered(job: IndexJob, checked: Checked, account: Account) -> None:
    """Leave with the live version what this job has brought into it."""
    counts = {"source": account.source, "rejected": account.rejected, "kept": account.kept}
    data = json.dumps({"job": _facts(job, checked), **counts}).encode()
    checked.store.attach(account.version, _COVERED, data)


def forget_covered(store: Store, version: str) -> None:
    """The next job has to look at every row: something was changed apart from its source."""
    store.attach(version, _COVERED, b"")


def _facts(job: IndexJob, checked: Checked) -> list[Any]:
    """All that decides what a job finds, and that the live version's own keys do not say."""
    source, config = checked.source, job.config
    return [
        source_key(source, config),
        source.revision,
        job.limit,
        config.credit or source.credit,
        config.max_reject_fraction,
        list(source.payload_columns),
        RULES,
        simile_version(),
        config.url_column,
        # Flags that may turn rejects into rows.
        job.follow_links,
        job.allow_private,
    ]
