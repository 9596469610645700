"""Staged units -> a live version: a new one, a copy with additions, or additions in place on a server."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from qdrant_client import models

from pipeline.editing.delete import carry_edits
from pipeline.editing.tags import apply_tags, own_tags, with_tags
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.images.palette import COLOUR_METHOD, COLOUR_VECTOR
from pipeline.index_quality.calibration import calibrate_version
from pipeline.index_quality.recall import Queries, Truth, check_version
from pipeline.indexing.account import Account
from pipeline.indexing.check import exact_neighbours
from pipeline.indexing.fields import joined_kinds, new_kinds
from pipeline.indexing.fit import fit
from pipeline.indexing.live import Live, says_the_same, settings_key, stored_projections
from pipeline.indexing.load import Markers, delete_points_of, load_units
from pipeline.indexing.plan import facts_of
from pipeline.indexing.preflight import Checked, IndexJob
from pipeline.indexing.staged import Staged
from pipeline.indexing.unit_points import Target
from pipeline.indexing.version_manifest import manifest_of
from pipeline.locks.lease import Fence
from pipeline.progress import say
from pipeline.projection import Projection
from pipeline.staging.vectors import Staging
from pipeline.store import Store
from pipeline.store.builds import (
    being_changed,
    drop_unfinished,
    find_unfinished,
    mark_changed,
    mark_unfinished,
    new_version,
)
from pipeline.store.field_paths import SCHEMAS
from pipeline.store.history import make_live
from pipeline.store.manifest import Version
from pipeline.store.protocol import vector_params
from pipeline.store.unit_record import Record, forget_record, write_record

__all__ = ["base_of", "build"]

_GROWN = 2  # times the rows that the projection was fitted on: from here the job suggests --refit


def base_of(job: IndexJob, live: Live) -> Version | None:
    """The live version, if this job's points belong into it."""
    if live.version is None or job.refit or not (live.same_settings and live.same_source):
        return None
    if live.version.manifest.colours not in (None, COLOUR_METHOD):
        return None  # its colours are of another method, so that they are made again
    return live.version


def build(
    job: IndexJob, checked: Checked, live: Live, staged: Staged, account: Account, fence: Fence
) -> None:
    """Fit, load, check and switch, or find that nothing is to be done.

    Args:
        job, checked: what was asked for, and what preflight found.
        live: the version that answers now.
        staged: what the new one is made of.
        account: entered as the stages go on.
        fence: what writers in other processes ask before they write.

    Raises:
        SimileError: another fingerprint than the live version's, or counts that do not add up; the alias
            then stays where it was.
    """
    store, config, catalogue = checked.store, job.config, staged.catalogue
    base = base_of(job, live)
    expected = staged.total(base is not None)
    with account.timed("fit"):
        projections, fitted = _projections(job, checked, live, staged, expected)
        account.rows["fit"] = sum(fitted.values())
    if base:
        base.check_fingerprints()
    before = live.version.manifest.kinds if live.version and (base or staged.holds_others) else {}
    tags = own_tags(store, live.name)
    kinds = with_tags(joined_kinds(before, checked.kinds, config, job.add), tags)
    removed = staged.removed if base else []
    colours = base.manifest.colours if base else COLOUR_METHOD  # points of one version are alike
    # An earlier job may have stopped after its writes to a server and before it wrote the manifest.
    whole = base and store.count(base.name) == base.manifest.rows
    nothing = not catalogue.to_write and not removed
    if base and whole and nothing and says_the_same(base.manifest, config, kinds):
        account.version = base.name
        if store.in_place:  # an earlier job may have been cut short before it wrote them
            apply_tags(store, job.home, base.name, tags, base.manifest.vector_names)
        account.skipped = catalogue.skipped
        _record(job, checked, base.name, staged, account)
        return
    targets = [_target(job, name, staged.stagings[name], projections[name]) for name in checked.encoders]
    with account.timed("load"):
        settings, in_place = settings_key(config, checked.encoders), base is not None and store.in_place
        # In place the projections are the version's own, which the settings tell.
        key = staged.key(settings, base is not None, None if in_place else projections)
        version, unfinished = _open(job, checked, base, targets, kinds, key, expected, colours is not None)
        store.check_whole(version)
        markers = Markers(staged.parts, key)
        if not unfinished:
            markers.clear()  # those of a version that is not there any more say nothing of this one
        done = markers.done()
        loads = staged.loads(config.thumbnail_files_above, colours is not None)
        left = [load for load in loads if load.marker not in done]
        written, account.loaded_bytes = load_units(
            store, version, left, staged.parts, targets, markers, fence
        )
        account.rows["load"] = written
        delete_points_of(store, version, removed)
        named = [name for target in targets for name in (target.vector, target.code)]
        apply_tags(store, job.home, version, tags, named + [COLOUR_VECTOR] * (colours is not None))
        store.finish(version)
    account.version = version
    account.written = catalogue.from_source - (sum(map(len, left)) - written)
    account.skipped = catalogue.skipped
    counted = store.count(version)
    if not account.balanced or counted != expected:
        markers.clear()  # whatever went wrong, the next job looks at every point and writes what is missing
        forget_record(store, version)
        raise SimileError(
            f"The account does not add up: source {account.source}, written {account.written}, skipped "
            f"{account.skipped}, rejected {account.rejected}; the store counts {counted} of {expected} "
            "points. The alias stays where it was; run the job again."
        )
    manifest = manifest_of(
        job, checked, live, targets, fitted, staged.holds_others, expected, account, kinds, colours
    )
    with account.timed("check"):
        measured = [
            entry.model_copy(
                update={
                    "measured": check_version(
                        store, version, entry, config, _truth(store, staged, target, base)
                    ),
                    "calibration": calibrate_version(store, version, entry),
                }
            )
            for entry, target in zip(manifest.encoders, targets, strict=True)
        ]
        carry_edits(store, live.name, version)
        store.write_manifest(version, manifest.model_copy(update={"encoders": tuple(measured)}))
        make_live(store, config.collection, version, "added" if job.add else "indexed")
        _record(job, checked, version, staged, account)
    markers.clear()


def _record(job: IndexJob, checked: Checked, version: str, staged: Staged, account: Account) -> None:
    """Leave with the version what it is made of, so that the next job need not look at its points."""
    entries, facts = staged.catalogue.record_entries(), facts_of(job, checked)
    whole = not (staged.keeps and len(staged.catalogue.lost))  # else some points stand in no unit here
    record = Record(entries, facts, account.source, account.rejected, account.kept, whole)
    write_record(checked.store, version, record)
    if being_changed(checked.store, version):
        mark_changed(checked.store, version, "")


def _indexes(kinds: Mapping[str, FieldKind]) -> dict[str, models.PayloadSchemaType]:
    return {name: SCHEMAS[kind.kind] for name, kind in kinds.items()}


def _truth(
    store: Store, staged: Staged, target: Target, base: Version | None
) -> Callable[[Sequence[Queries]], list[Truth]] | None:
    """What finds exact neighbours in the parts; None where some points stand in none of them."""
    if base and staged.keeps and len(staged.catalogue.lost):
        return None
    catalogue = staged.catalogue
    units = [(catalogue.entries[at].unit, catalogue.points[at]) for at in sorted(catalogue.points)]
    return partial(
        exact_neighbours, target=target, units=units, parts=staged.parts, everywhere=store.parallel_writes
    )


def _projections(
    job: IndexJob, checked: Checked, live: Live, staged: Staged, total: int
) -> tuple[dict[str, Projection], dict[str, int]]:
    """Encoder name -> projection, and the rows it was fitted on (0: taken over as it was)."""
    kept: dict[str, Projection] = {}
    config, base = job.config, base_of(job, live)
    if live.version and live.same_source and not job.refit:
        kept = stored_projections(live.version.manifest, config, checked.encoders)
    if base:
        fitted_on = base.manifest.fitted_rows
        if fitted_on and fitted_on < config.projection.sample and total > _GROWN * fitted_on:
            say(f"the projection was fitted on {fitted_on:,} of {total:,} rows; --refit fits it again")
    sample = min(staged.catalogue.total, config.projection.sample)
    fitted = {name: 0 if name in kept else sample for name in staged.stagings}
    units = staged.units()
    made = {
        name: kept.get(name)
        or fit(staging, units, config.projection, checked.encoders[name].code_bits or 0, config.stored_bits)
        for name, staging in staged.stagings.items()
    }
    return made, fitted


def _target(job: IndexJob, name: str, staging: Staging, projection: Projection) -> Target:
    encoder = next(e for e in job.config.encoders if e.name == name)
    return Target(staging, encoder.vector_name, encoder.code_name, projection)


def _open(
    job: IndexJob,
    checked: Checked,
    base: Version | None,
    targets: list[Target],
    kinds: Mapping[str, FieldKind],
    key: str,
    points: int,
    colours: bool,
) -> tuple[str, bool]:
    """The version to write to, and whether an interrupted run has begun with it."""
    store, config = checked.store, job.config
    lacking = _indexes(new_kinds(base.manifest.kinds, kinds)) if base else {}
    dimensions = {target.vector: target.projection.dimension for target in targets}
    codes = {target.code: target.projection.bits for target in targets}
    params = partial(vector_params, config, dimensions, codes, colours=colours)
    outgrown = base and params(points) != params(min(points, base.manifest.rows))
    if base and store.in_place:
        if outgrown:
            store.set_graphs(base.name, config, params(points))
        store.add_indexes(base.name, config, lacking)
        begun = being_changed(store, base.name) == key
        mark_changed(store, base.name, key)
        return base.name, begun
    unfinished = find_unfinished(store, config.collection, key)
    drop_unfinished(store, config.collection, except_for=unfinished)
    if unfinished:
        return unfinished, True
    version = new_version(config.collection)
    if base:
        store.copy(base.name, version)
        if outgrown:
            store.set_graphs(version, config, params(points))
        store.add_indexes(version, config, lacking)
    else:
        store.create(version, config, params(points), _indexes(kinds))
    mark_unfinished(store, version, key)
    return version, False
