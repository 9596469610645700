"""An index job: preflight, the four stages, the account, and the switch of the alias."""

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qdrant_client import models

from pipeline.encoders import EncoderDescription, describe_encoder
from pipeline.errors import SimileError
from pipeline.indexing.embed import EmbedResult, Reject, embed_missing
from pipeline.indexing.fit import fit
from pipeline.indexing.load import Load, load_rows, payloads_of
from pipeline.indexing.plan import Plan, make_plan
from pipeline.indexing.progress import say
from pipeline.indexing.resources import reserve
from pipeline.indexing.staging import Staging
from pipeline.projection import Projection
from pipeline.sources import Source, resolve_source
from pipeline.store import Manifest, Store, open_store
from pipeline.store.protocol import vector_params
from qdrant_config import CollectionConfig

__all__ = ["Account", "IndexJob", "index_collection"]


@dataclass(frozen=True)
class IndexJob:
    """What was asked for on the command line, resolved."""

    config: CollectionConfig
    home: str
    url: str | None = None
    limit: int | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None


@dataclass
class Account:
    """Where every row of the source went: source = written + skipped + rejected."""

    collection: str
    source: int = 0
    written: int = 0
    skipped: int = 0
    rejected: int = 0
    version: str = ""
    encoders: list[str] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)  # stage -> seconds
    embedded: int = 0
    actors: dict[str, Any] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Does it add up?"""
        return self.source == self.written + self.skipped + self.rejected

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to a stage."""
        start = time.perf_counter()
        yield
        self.stages[stage] = round(self.stages.get(stage, 0.0) + time.perf_counter() - start, 2)

    def summary(self) -> dict[str, Any]:
        """The JSON line at the end of a job."""
        seconds = sum(self.stages.values())
        embedding = self.stages.get("embed", 0.0)
        return {
            "collection": self.collection,
            "version": self.version,
            "source": self.source,
            "written": self.written,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "seconds": round(seconds, 2),
            "images_per_second": round(self.embedded / embedding, 1) if self.embedded and embedding else 0.0,
            "encoders": self.encoders,
            "embedded": self.embedded,
            "stages": self.stages,
            "actors": list(self.actors.values()),
            "rejects": dict(Counter(f"{r.stage}: {r.reason}" for r in self.rejects).most_common(10)),
        }


def index_collection(job: IndexJob) -> Account:
    """Run the job on the Ray that this process is connected to.

    Raises:
        SimileError: bad configuration, source, store or reservation; too many rejects; or an account
            that does not add up. The alias then stays where it was.
    """
    account = Account(job.config.collection)
    with account.timed("preflight"):
        source, descriptions, store = preflight(job)
        reservation = reserve(job.actors, job.gpus_per_actor)
    account.encoders = list(descriptions)
    stagings = {
        name: Staging(job.home, job.config.collection, description.fingerprint)
        for name, description in descriptions.items()
    }
    with account.timed("plan"):
        plan = make_plan(job.config.collection, source, job.limit)
    account.source = plan.table.num_rows
    key = _content_key(job, plan, descriptions)
    live = store.aliases().get(job.config.collection)
    if live and _is_current(store, live, key, plan):
        account.version, account.rejected = live, store.read_manifest(live).facts["account"]["rejected"]
        account.skipped = account.source - account.rejected
        return account
    with account.timed("embed"):
        result = embed_missing(plan, source, stagings, reservation, job.limit)
    _settle(account, plan, result, job.config)
    with account.timed("fit"):
        rejected = {reject.id for reject in account.rejects}
        ids = set(plan.unique["id"].to_pylist()) - rejected
        projections = {name: fit(s, ids, job.config.projection) for name, s in stagings.items()}
    with account.timed("load"):
        _load(job, account, source, plan, store, stagings, projections, descriptions, key)
    return account


def preflight(job: IndexJob) -> tuple[Source, dict[str, EncoderDescription], Store]:
    """Everything that can fail before work begins, without loading a network."""
    config = job.config
    descriptions = {encoder.name: describe_encoder(encoder.name) for encoder in config.encoders}
    source = resolve_source(
        config.source, split=config.split, image_column=config.image, config=config.config
    )
    missing = set(config.filters or []) - set(source.payload_columns)
    if missing:
        raise SimileError(
            f"Filters {sorted(missing)} are not columns of {source.name}; "
            f"there are: {', '.join(source.payload_columns) or 'none'}."
        )
    store = open_store(job.home, job.url)
    _check_writable(store, config)
    _check_disk(job, source, descriptions)
    return source, descriptions, store


def _check_writable(store: Store, config: CollectionConfig) -> None:
    """Write one point and read it back."""
    import numpy as np

    version = f"{config.collection}__preflight"
    store.drop(version)
    try:
        store.create(version, config, vector_params(config, {"probe": 2}, {}), {})
        point = "00000000-0000-0000-0000-000000000001"
        store.upsert(version, [point], {"probe": np.ones((1, 2), np.float32)}, [{}])
        if store.count(version) != 1:
            raise SimileError(f"The store at {store.address} took a point and does not count it.")
    except OSError as error:
        raise SimileError(f"The store at {store.address} cannot be written: {error}.") from error
    finally:
        store.drop(version)


def bytes_a_row(descriptions: dict[str, EncoderDescription], config: CollectionConfig) -> int:
    """Disk that one row takes, roughly: staged and stored vectors, codes, and two thumbnails."""
    thumbnail = 12_000
    widths = [description.dimension or 1024 for description in descriptions.values()]
    prepared = [min(width, config.projection.dimension) for width in widths]
    return (
        sum(2 * w + 6 * p + p // 4 + thumbnail for w, p in zip(widths, prepared, strict=True))
        + thumbnail * 4 // 3
    )


def _check_disk(job: IndexJob, source: Source, descriptions: dict[str, EncoderDescription]) -> None:
    if "://" in job.home:
        return
    Path(job.home).mkdir(parents=True, exist_ok=True)
    needed = bytes_a_row(descriptions, job.config) * min(source.rows, job.limit or source.rows)
    free = shutil.disk_usage(job.home).free
    if needed > free:
        raise SimileError(
            f"The job may need {needed / 1e9:.1f} GB below {job.home} and {free / 1e9:.1f} GB are free; "
            "free some space, or choose another --home."
        )


def _content_key(job: IndexJob, plan: Plan, descriptions: dict[str, EncoderDescription]) -> str:
    """Hash of all that decides what a version holds: rows, payloads, encoders and configuration."""
    hasher = hashlib.sha256()
    for row in plan.unique.select(["id", "payload"]).sort_by("id").to_pylist():
        hasher.update(f"{row['id']}{row['payload']}\n".encode())
    settings = job.config.model_dump(exclude={"source", "sample", "title", "max_reject_fraction"})
    fingerprints = [description.fingerprint for description in descriptions.values()]
    hasher.update(json.dumps([settings, fingerprints], sort_keys=True).encode())
    return hasher.hexdigest()


def _is_current(store: Store, version: str, key: str, plan: Plan) -> bool:
    try:
        facts = store.read_manifest(version).facts
    except SimileError:
        return False
    return facts["key"] == key and facts["account"]["source"] == plan.table.num_rows


def _settle(account: Account, plan: Plan, result: EmbedResult, config: CollectionConfig) -> None:
    """Enter rejects and duplicates; a duplicate of a rejected picture is rejected as well."""
    account.embedded = result.embedded
    account.actors = result.actors
    unreadable = plan.unreadable.select(["file", "row"]).to_pylist()
    account.rejects = result.rejects + [
        Reject(None, f"{row['file']}:{row['row']}", "plan", "the file could not be read")
        for row in unreadable
    ]
    bad = {reject.id for reject in result.rejects}
    account.rejected = len(unreadable) + sum(point in bad for point in plan.table["id"].to_pylist() if point)
    share = account.rejected / max(1, account.source)
    for reject in account.rejects[:5]:
        say(f"rejected {reject.place}: {reject.reason}")
    if share > config.max_reject_fraction:
        raise SimileError(
            f"{account.rejected} of {account.source} rows were rejected ({share:.1%}), more than "
            f"max_reject_fraction ({config.max_reject_fraction:.0%}) allows; the collection stays as it was. "
            f"First reason: {account.rejects[0].reason}"
        )


def _load(
    job: IndexJob,
    account: Account,
    source: Source,
    plan: Plan,
    store: Store,
    stagings: dict[str, Staging],
    projections: dict[str, Projection],
    descriptions: dict[str, EncoderDescription],
    key: str,
) -> None:
    """Build a version, check its count against the account, then switch the alias to it."""
    config = job.config
    now = datetime.now(UTC)
    version = f"{config.collection}__{now:%Y%m%dT%H%M%S%f}"
    names = {encoder.name: encoder for encoder in config.encoders}
    dimensions = {names[n].vector_name: p.dimension for n, p in projections.items()}
    codes = {names[n].code_name: p.dimension for n, p in projections.items()}
    fields = config.filters if config.filters is not None else default_filters(source)
    indexes = {field: schema for field, schema in payload_schemas(source).items() if field in fields}
    store.create(version, config, vector_params(config, dimensions, codes), indexes)
    rejected = {reject.id for reject in account.rejects}  # perhaps staged by another encoder all the same
    payloads = {point: value for point, value in payloads_of(plan).items() if point not in rejected}
    written: set[str] | None = None
    for name, projection in projections.items():
        load = Load(
            version=version,
            vector=names[name].vector_name,
            code=names[name].code_name,
            projection=projection,
            payloads=payloads,
            credit=config.credit or source.credit,
            first=written is None,
        )
        done = load_rows(store, stagings[name], load)
        written = done if written is None else written & done
    store.finish(version)
    account.version, account.written = version, len(written or ())
    account.skipped = plan.duplicates - (account.rejected - len(account.rejects))
    counted = store.count(version)
    if not account.balanced or counted != account.written:
        raise SimileError(
            f"The account does not add up: source {account.source}, written {account.written}, skipped "
            f"{account.skipped}, rejected {account.rejected}, and the store counts {counted}. "
            "The alias stays where it was; run the job again."
        )
    facts = {
        "collection": config.collection,
        "title": config.title or config.collection,
        "key": key,
        "source": source.name,
        "split": source.split,
        "revision": source.revision,
        "licence": source.licence,
        "credit": config.credit or source.credit,
        "filters": list(indexes),
        "encoders": [
            asdict(descriptions[n])
            | {
                "vector": names[n].vector_name,
                "code": names[n].code_name,
                "fingerprint": descriptions[n].fingerprint,
                "prepared_dimension": projections[n].dimension,
            }
            for n in projections
        ],
        "search": config.search.model_dump(),
        "quantization": config.quantization.model_dump(),
        "account": {k: getattr(account, k) for k in ("source", "written", "skipped", "rejected")},
        "built": now.isoformat(timespec="seconds"),
    }
    tensors = {}
    for name, projection in projections.items():
        tensors[f"{names[name].vector_name}.matrix"] = projection.matrix
        tensors[f"{names[name].vector_name}.offset"] = projection.offset
    store.write_manifest(version, Manifest(facts, tensors))
    store.switch(config.collection, version)


def default_filters(source: Source) -> list[str]:
    """Class labels and text columns of the source."""
    return list(payload_schemas(source))


def payload_schemas(source: Source) -> dict[str, models.PayloadSchemaType]:
    """Payload columns that can be filtered and counted, and how Qdrant indexes each."""
    from datasets import ClassLabel, Value

    kinds: dict[str, models.PayloadSchemaType] = {}
    for name in source.payload_columns:
        feature = source.features.get(name)
        if isinstance(feature, ClassLabel):
            kinds[name] = models.PayloadSchemaType.KEYWORD
        elif isinstance(feature, Value):
            if "string" in feature.dtype:
                kinds[name] = models.PayloadSchemaType.KEYWORD
            elif feature.dtype == "bool":
                kinds[name] = models.PayloadSchemaType.BOOL
            elif "int" in feature.dtype:
                kinds[name] = models.PayloadSchemaType.INTEGER
    return kinds
