"""Staged rows -> a live version: a new one, a copy with additions, or additions in place on a server."""

import json
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
from qdrant_client import models

from pipeline.encoders import EncoderDescription
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.index_quality.calibration import calibrate_version
from pipeline.index_quality.recall import check_version
from pipeline.index_quality.truth import Rows
from pipeline.indexing.account import Account
from pipeline.indexing.carried import to_remove
from pipeline.indexing.delete import DELETED, deleted_ids
from pipeline.indexing.fields import joined_kinds, new_kinds
from pipeline.indexing.fit import fit, hash_bits
from pipeline.indexing.history import make_live
from pipeline.indexing.lease import Fence
from pipeline.indexing.live import (
    Live,
    compare,
    says_the_same,
    settings_key,
    source_key,
    stored_marks,
    stored_projections,
)
from pipeline.indexing.load import Target, load_rows, staged_rows
from pipeline.indexing.plan import Plan
from pipeline.indexing.preflight import Checked, IndexJob
from pipeline.indexing.unchanged import forget_covered
from pipeline.indexing.versions import (
    build_key,
    drop_unfinished,
    find_unfinished,
    mark_unfinished,
    new_version,
)
from pipeline.points import Row
from pipeline.progress import say
from pipeline.projection import Projection, vectors_fingerprint
from pipeline.staging.parts import Staging
from pipeline.store import Manifest, Store
from pipeline.store.field_paths import SCHEMAS
from pipeline.store.manifest import EncoderEntry, RowCounts, Version
from pipeline.store.protocol import vector_params

__all__ = ["build"]

_GROWN = 2  # times the rows that the projection was fitted on: from here the job suggests --refit


@dataclass(frozen=True)
class _Base:
    """The live version, when this job goes on with it."""

    version: str
    manifest: Manifest
    marks: Mapping[str, str]


def build(
    job: IndexJob,
    checked: Checked,
    live: Live,
    plan: Plan,
    stagings: Mapping[str, Staging],
    rows: Mapping[str, Row],
    account: Account,
    fence: Fence,
) -> None:
    """Fit, load, check and switch, or find that nothing is to be done.

    Args:
        job, checked: what was asked for, and what preflight found.
        live: the version that answers now.
        plan: every row of the source.
        stagings: encoder name -> its staged vectors, which hold every id of `rows`.
        rows: id -> row, of all points that the source asks for, and of those that are carried over.
        account: entered as the stages go on.
        fence: what writers in other processes ask before they write.

    Raises:
        SimileError: another fingerprint than the live version's, or counts that do not add up; the alias
            then stays where it was.
    """
    store, config = checked.store, job.config
    base = _base(job, store, live)
    with account.timed("fit"):
        projections, fitted = _projections(job, checked, live, stagings, rows, base)
        account.rows["fit"] = sum(fitted.values())
    wanted = {point: row.mark for point, row in rows.items()}
    present = set(base.marks) if base else set()
    difference = compare(base.marks if base else {}, wanted)
    gone = to_remove(job, difference.gone, plan.unreadable.num_rows + checked.source.unlisted)
    to_write = difference.new | difference.changed
    account.kept += len(difference.gone - gone)
    account.removed += len(gone)
    if base:
        Version(base.version, base.manifest).check_fingerprints()
    before = live.version.manifest.kinds if live.version and (base or account.kept) else {}
    kinds = joined_kinds(before, checked.kinds, config, job.add)
    # An earlier job may have stopped after its writes to a server and before it wrote the manifest.
    whole = base and store.count(base.version) == base.manifest.rows
    if base and whole and not to_write and not gone and says_the_same(base.manifest, config, kinds):
        account.version = base.version
        account.enter(plan, set(), present)
        return
    expected = len(present | wanted.keys()) - len(gone)
    targets = [_target(job, name, stagings[name], projections[name]) for name in checked.encoders]
    with account.timed("load"):
        key = build_key(
            settings_key(config, checked.encoders), wanted | dict.fromkeys(gone, "gone"), projections
        )
        version, loaded = _open(job, checked, base, targets, kinds, key, expected)
        if base and version == base.version:
            forget_covered(store, version)  # until this job has ended well
        store.check_whole(version)
        written, account.loaded_bytes = load_rows(
            store,
            version,
            targets,
            {point: rows[point] for point in to_write - loaded},
            fence,
            config.thumbnail_files_above,
        )
        if gone:
            store.delete(version, sorted(gone))
        store.finish(version)
        account.rows["load"] = len(written)
    account.version = version
    account.enter(plan, written | loaded, present - difference.changed)
    counted = store.count(version)
    if not account.balanced or counted != expected:
        raise SimileError(
            f"The account does not add up: source {account.source}, written {account.written}, skipped "
            f"{account.skipped}, rejected {account.rejected}; the store counts {counted} of {expected} "
            "points. The alias stays where it was; run the job again."
        )
    manifest = _manifest(job, checked, live, targets, fitted, expected, account, kinds)
    ids = (present | wanted.keys()) - gone
    with account.timed("check"):
        measured = [
            entry.model_copy(
                update={
                    "measured": check_version(store, version, entry, config, _staged(target, ids)),
                    "calibration": calibrate_version(store, version, entry),
                }
            )
            for entry, target in zip(manifest.encoders, targets, strict=True)
        ]
        # The new version takes over what was deleted from the live one, so that it stays deleted.
        deleted = deleted_ids(store, live.name)
        store.attach(version, DELETED, json.dumps(sorted(deleted)).encode())
        store.write_manifest(version, manifest.model_copy(update={"encoders": tuple(measured)}))
        make_live(store, config.collection, version, "added" if job.add else "indexed")


def _indexes(kinds: Mapping[str, FieldKind]) -> dict[str, models.PayloadSchemaType]:
    return {name: SCHEMAS[kind.kind] for name, kind in kinds.items()}


def _staged(target: Target, ids: Set[str]) -> Callable[[str], Iterable[Rows]] | None:
    """Every point's vectors, from the parts; None where points were staged in another home."""
    return partial(staged_rows, target, ids) if ids <= target.staging.ids() else None


def _base(job: IndexJob, store: Store, live: Live) -> _Base | None:
    """The live version if this job's points belong into it."""
    if live.version is None or job.refit or not (live.same_settings and live.same_source):
        return None
    return _Base(live.version.name, live.version.manifest, stored_marks(store, live.version.name))


def _projections(
    job: IndexJob,
    checked: Checked,
    live: Live,
    stagings: Mapping[str, Staging],
    rows: Mapping[str, Row],
    base: _Base | None,
) -> tuple[dict[str, Projection], dict[str, int]]:
    """Encoder name -> projection, and the rows it was fitted on (0: taken over as it was)."""
    kept: dict[str, Projection] = {}
    if live.version and live.same_source and not job.refit:
        kept = stored_projections(live.version.manifest, job.config, checked.encoders)
    if base:
        fitted_on = base.manifest.fitted_rows
        total = len(base.marks.keys() | rows.keys())
        if fitted_on and fitted_on < job.config.projection.sample and total > _GROWN * fitted_on:
            say(f"the projection was fitted on {fitted_on:,} of {total:,} rows; --refit fits it anew")
    ids = set(rows)
    fitted = {name: 0 if name in kept else min(len(ids), job.config.projection.sample) for name in stagings}
    config = job.config
    made = {
        name: kept.get(name)
        or fit(staged, ids, config.projection, hash_bits(checked.encoders[name]), config.stored_bits)
        for name, staged in stagings.items()
    }
    return made, fitted


def _target(job: IndexJob, name: str, staging: Staging, projection: Projection) -> Target:
    encoder = next(e for e in job.config.encoders if e.name == name)
    return Target(staging, encoder.vector_name, encoder.code_name, projection)


def _open(
    job: IndexJob,
    checked: Checked,
    base: _Base | None,
    targets: list[Target],
    kinds: Mapping[str, FieldKind],
    key: str,
    points: int,
) -> tuple[str, set[str]]:
    """The version to write to, and the ids that an interrupted run has already written there."""
    store, config = checked.store, job.config
    lacking = _indexes(new_kinds(base.manifest.kinds, kinds)) if base else {}
    dimensions = {target.vector: target.projection.dimension for target in targets}
    codes = {target.code: target.projection.bits for target in targets}
    params = partial(vector_params, config, dimensions, codes)
    outgrown = base and params(points) != params(min(points, base.manifest.rows))
    if base and store.in_place:
        if outgrown:
            store.set_graphs(base.version, config, params(points))
        store.add_indexes(base.version, config, lacking)
        return base.version, set()  # what was written before a crash is in its marks
    unfinished = find_unfinished(store, config.collection, key)
    drop_unfinished(store, config.collection, except_for=unfinished)
    if unfinished:
        return unfinished, store.loaded(unfinished)
    version = new_version(config.collection)
    if base:
        store.copy(base.version, version)
        if outgrown:
            store.set_graphs(version, config, params(points))
        store.add_indexes(version, config, lacking)
    else:
        store.create(version, config, params(points), _indexes(kinds))
    mark_unfinished(store, version, key)
    return version, set()


def _manifest(
    job: IndexJob,
    checked: Checked,
    live: Live,
    targets: list[Target],
    fitted: Mapping[str, int],
    rows: int,
    account: Account,
    kinds: dict[str, FieldKind],
) -> Manifest:
    """What the version says of itself, before it is checked."""
    config, source = job.config, checked.source
    before = live.version.manifest if live.version else None
    about_source = {
        "source_key": source_key(source, config),
        "source": source.name,
        "split": source.split,
        "revision": source.revision,
        "licence": source.licence,
        "credit": config.credit or source.credit,
    }
    added = before.added if before and (job.add or account.kept) else ()
    if job.add and before:  # the collection stays that of its first source
        about_source = before.model_dump(include=set(about_source))
        added = (*added, source.name)
    tensors: dict[str, np.ndarray] = {}
    for target in targets:
        tensors |= target.projection.tensors(target.vector)
    return Manifest(
        collection=config.collection,
        title=config.title or config.collection,
        settings=settings_key(config, checked.encoders),
        **about_source,
        added=added,
        filters=tuple(kinds),
        kinds=kinds,
        encoders=tuple(map(_entry, checked.encoders.values(), targets)),
        search=config.search,
        projection=config.projection,
        quantization=config.quantization,
        hnsw=config.hnsw,
        memory=config.memory,
        rows=rows,
        fitted_rows=max(fitted.values()) or (before.fitted_rows if before else 0),
        account=RowCounts(
            source=account.source,
            written=account.written,
            skipped=account.skipped,
            rejected=account.rejected,
            rejects=account.reasons(),
            reject_examples={
                kind: "{place}: {reason}".format(**shown[0]) for kind, shown in account.examples().items()
            },
            left_out=account.left_out,
        ),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        tensors=tensors,
    )


def _entry(description: EncoderDescription, target: Target) -> EncoderEntry:
    projection = target.projection
    return EncoderEntry(
        **asdict(replace(description, code_bits=projection.bits)),
        vector=target.vector,
        code=target.code,
        fingerprint=description.fingerprint,
        prepared_dimension=projection.dimension,
        hash_bits=projection.hash_bits,
        vectors_fingerprint=vectors_fingerprint(description.fingerprint, projection),
    )
