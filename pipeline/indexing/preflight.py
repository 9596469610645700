"""Checks before work begins: they take seconds, load no network, and say what to do."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.cluster.actors import Actors
from pipeline.config import CollectionConfig
from pipeline.config.quantization import CODE_QUANTIZATION
from pipeline.encoders import EncoderDescription, describe_encoder
from pipeline.encoders.precomputed import column_of, describe_precomputed, is_precomputed
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.indexing.fields import filter_kinds, joined_kinds, with_lists
from pipeline.indexing.live import live_of
from pipeline.progress import say
from pipeline.sources import Source, Unit, resolve_source, units_of
from pipeline.sources.kept_tars import forget_tars, tars_folder
from pipeline.sources.source import KeptTars
from pipeline.sources.spreading import Spread
from pipeline.sources.vector_columns import vector_length, with_vectors
from pipeline.staging.erased import erased_list
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from pipeline.store import Store, open_store
from pipeline.store.probe import check_writable

__all__ = [
    "Checked",
    "IndexJob",
    "bytes_a_row",
    "check_store_and_disk",
    "find_all",
    "forget_old_tars",
    "preflight",
]

# Bytes of the thumbnail of a photograph; of small pictures it is the file itself, and of large drawings that
# are packed well it may be several times the file. Places and fields take some hundred bytes in any case.
_THUMBNAIL, _ROW, _GROWTH = 15_000, 500, 3
_PATIENCE_SECONDS = 3.0  # for a store that fails in preflight; the job itself is more patient


@dataclass(frozen=True)
class IndexJob:
    """What was asked for on the command line, resolved.

    Attributes:
        config: the collection's YAML with what the command line overrides.
        home: absolute folder or URL of an object store.
        url: Qdrant server; None: `QDRANT_URL`, else the embedded store in the home.
        limit: only the first rows.
        actors, gpus_per_actor: reservation; None chooses.
        wait: seconds in which the cluster may grow until it has room for them; None: it is taken as it is.
        sync: also remove points whose rows the source does not have any more.
        add: keep what is there and add the rows of another source.
        refit: fit the projection anew, in a new version.
        replace: more than half of the collection's pictures may leave it.
        retry_rejects: try the rows again that an earlier run rejected.
        follow_links: take what lies behind links that lead outside of a folder, and paths of a list.
        allow_private: fetch from private machines what a list names.
        other_source: the source is not the YAML's own, and need not have the columns that the YAML names.
    """

    config: CollectionConfig
    home: str
    url: str | None = None
    limit: int | None = None
    actors: Actors | None = None
    gpus_per_actor: float | None = None
    wait: float | None = None
    sync: bool = False
    add: bool = False
    refit: bool = False
    retry_rejects: bool = False
    replace: bool = False
    other_source: bool = False
    follow_links: bool = False
    allow_private: bool = False


@dataclass(frozen=True)
class Checked:
    """What preflight found.

    Attributes:
        encoders: name -> description.
        kinds: the source's columns that become filters -> what they hold.
        units: of the source, as far as the job's limit.
    """

    source: Source
    encoders: dict[str, EncoderDescription]
    store: Store
    kinds: dict[str, FieldKind] = field(default_factory=dict)
    units: Sequence[Unit] = ()


def preflight(job: IndexJob) -> Checked:
    """All checks: `find_all`, then `check_store_and_disk`.

    Raises:
        SimileError: one of these failed.
    """
    checked = find_all(job)
    check_store_and_disk(job, checked)
    return checked


def find_all(job: IndexJob, spread: Spread | None = None, *, keeps: bool = True) -> Checked:
    """Resolve the source, describe the encoders, reach the store.

    Args:
        spread: runs work on a cluster, where there is one.
        keeps: whether what is found in tars is kept on the home; nothing else is written.

    Raises:
        SimileError: one of these failed, or flags that exclude each other.
    """
    config = job.config
    if job.sync and job.limit:
        raise SimileError(
            "--sync removes what the source lacks, and --limit hides most of it; use one of them."
        )
    if job.sync and job.add:
        raise SimileError("--add keeps the rows of other sources and --sync removes them; use one of them.")
    networks = [encoder.name for encoder in config.encoders if not is_precomputed(encoder.name)]
    described = {name: describe_encoder(name) for name in networks}
    source = resolve_source(
        config.source,
        split=config.split,
        image_column=config.image,
        config=config.config,
        strict=not job.other_source,
        follow_links=job.follow_links,
        url_column=config.url_column,
        allow_private=job.allow_private,
        spread=spread,
        kept_tars=_kept_tars(job, keeps),
    )
    for note in source.notes:
        say(f"note: {note}")
    given = [column_of(each.name) for each in config.encoders if is_precomputed(each.name)]
    source = with_lists(with_vectors(source, given), config, job.other_source)
    kinds = filter_kinds(source, config, job.other_source)
    store = open_store(job.home, job.url)
    say(f"store: {store.engine}")
    units = units_of(source, job.limit)
    encoders = {
        each.name: described.get(each.name)
        or describe_precomputed(each.name, vector_length(source, column_of(each.name), units))
        for each in config.encoders
    }
    checked = Checked(source, encoders, store, kinds, units)
    if job.add:
        _refuse_what_cannot_be_added(job, checked)
    return checked


def _kept_tars(job: IndexJob, keeps: bool) -> KeptTars | None:
    """None where pictures were erased: what their tars say of them may not be kept either."""
    try:
        if erased_list(job.home, job.config.collection).ids:
            return None
    except OSError:  # the checks that follow say what is wrong with the home
        return None
    return KeptTars(tars_folder(job.home, job.config.collection), keeps)


def forget_old_tars(job: IndexJob, source: Source) -> None:
    """Delete what is kept of tars that changed, and of those that the collection's source does not have."""
    may_keep = _kept_tars(job, True) is not None
    states = source.states if may_keep else {}
    folder = tars_folder(job.home, job.config.collection)
    forget_tars(folder, source.root, states, others=not (may_keep and job.add))


def check_store_and_disk(job: IndexJob, checked: Checked) -> None:
    """Write a point to the store and take it away again; look at the disk.

    Raises:
        SimileError: the store takes no points, the name belongs to somebody else there, a shard of the live
            version is dead, or the disk may become full.
    """
    probed = open_store(job.home, job.url, patience=_PATIENCE_SECONDS)
    probed.check(job.config.collection)
    check_writable(probed, job.config)
    _check_disk(job, checked, in_home=not checked.store.parallel_writes)


def _refuse_what_cannot_be_added(job: IndexJob, checked: Checked) -> None:
    """--add puts points beside those of the live version, so vectors and fields must go together."""
    live = live_of(checked.store, job.config, checked.encoders, checked.source, add=True)
    if live.version is None:
        return
    there = {entry.name: entry.fingerprint for entry in live.version.manifest.encoders}
    here = {name: description.fingerprint for name, description in checked.encoders.items()}
    name = job.config.collection
    if live.older:
        raise SimileError(
            f"'{name}' was indexed by an older version of Simile, which prepared pictures in another way, so "
            "nothing can be added to it; index it again without --add, from a source with all its pictures."
        )
    if there != here:
        raise SimileError(
            f"'{name}' holds vectors of {_named(there)} and this job makes those of {_named(here)}; they "
            "cannot be compared. Use the same encoder, or index the collection again without --add."
        )
    if not live.same_settings:
        raise SimileError(
            f"'{name}' was built with other settings of projection or quantization; use the same "
            "configuration, or index the collection again without --add."
        )
    joined_kinds(live.version.manifest.kinds, checked.kinds, job.config)


def _named(fingerprints: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({fingerprint})" for name, fingerprint in fingerprints.items())


def bytes_a_row(
    encoders: dict[str, EncoderDescription], config: CollectionConfig, units: Sequence[Unit] = ()
) -> tuple[int, int]:
    """Disk that one row takes, roughly: staged (vectors and a thumbnail), and stored (with codes).

    Args:
        units: of the source; where they tell how large its pictures are, thumbnails of small ones are small.
    """
    told = [unit for unit in units if unit.bytes]
    picture = sum(unit.bytes for unit in told) / max(1, sum(unit.rows for unit in told))
    thumbnail = round(min(_THUMBNAIL, _ROW + _GROWTH * picture)) if told else _THUMBNAIL
    widths = [description.dimension or 1024 for description in encoders.values()]
    vectors = [config.stored_dimension(width) for width in widths]
    bits = [min(width, config.projection.code_bits) for width in widths]
    staged = thumbnail + sum(2 * width for width in widths)
    stored = sum(4 * v + config.quantization.code_bytes(v) for v in vectors)
    stored += sum(2 * b + CODE_QUANTIZATION.code_bytes(b) for b in bits)  # ±1 as 16-bit floats, and packed
    return staged, stored + thumbnail * 4 // 3


def _check_disk(job: IndexJob, checked: Checked, in_home: bool) -> None:
    """Room for what is not staged yet, and for all rows in a version of the embedded store."""
    if "://" in job.home:
        return
    Path(job.home).mkdir(parents=True, exist_ok=True)
    encoders = checked.encoders
    there = Parts(job.home, job.config.collection).names()
    for each in encoders.values():
        there &= Staging(job.home, job.config.collection, each.fingerprint).names()
    rows = sum(unit.rows for unit in checked.units)
    missing = sum(unit.rows for unit in checked.units if unit.name not in there)
    staged, stored = bytes_a_row(encoders, job.config, checked.units)
    needed = staged * missing + (stored * rows if in_home else 0)
    free = shutil.disk_usage(job.home).free
    if needed > free:
        raise SimileError(
            f"The job may need {needed / 1e9:.1f} GB below {job.home} and {free / 1e9:.1f} GB are free; "
            "free some space, or choose another --home."
        )
