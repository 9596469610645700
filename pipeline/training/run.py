"""One run: Ray Data feeds Ray Train's workers; the last checkpoint becomes a folder of weights."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.encoders.families.simile_models import load_embedder
from pipeline.errors import SimileError
from pipeline.training.config import TrainingConfig, WorkerSettings
from pipeline.training.data import TrainingData, read_training_data
from pipeline.training.history import EpochRecord
from pipeline.training.pretrained_config import complete
from pipeline.training.provenance import Provenance, check_protocol, overlap

__all__ = ["TrainingJob", "train"]

_WORKER_CPUS = 0.7  # CPUs reserved for each thread; the rest is for reading, which would never start without
_KEPT_CHECKPOINTS = 2
# What the GNU C library reads when a worker starts. By default it returns large blocks, such as what a layer
# makes of a batch, to the system at once, which then clears every page of the next one: half of the time of a
# worker on CPUs. One arena, because only the first one can grow to blocks of that size.
_KEPT_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}
_POLL_SECONDS = 0.2  # Ray's default of 2 s would be the shortest time that an epoch takes


@dataclass(frozen=True)
class TrainingJob:
    """What `train` is asked for.

    Attributes:
        config: of training_config/.
        runs: folder for checkpoints, one folder a run inside; all workers must see it.
        output: folder that the weights are written to.
        command: that repeats the run, for the card.
        source: what the configuration itself names as its data, for the card; None: what was read.
        gpus: workers take one GPU each.
        fresh: begin anew, whatever an earlier run of this name left.
    """

    config: TrainingConfig
    runs: Path
    output: Path
    command: str = ""
    source: str | None = None
    gpus: bool = False
    fresh: bool = False


def train(job: TrainingJob) -> dict[str, Any]:
    """Train, or continue a stopped run of the same settings. Needs an initialised Ray.

    Returns:
        What the last JSON line says: name, epochs, seconds of this call, figures of the last epoch,
        where weights and curves are.

    Raises:
        SimileError: settings differ from those of the run that would be continued; or as `complete`,
            `check_protocol`, `read_training_data` and `build_network`.
    """
    import ray.train
    import ray.train.torch

    from pipeline.training.loop import CHECKPOINT, read_history
    from pipeline.training.worker import train_on_worker

    job = replace(job, config=complete(job.config))
    config = job.config
    started = time.monotonic()
    check_protocol(config, job.source or config.data.source)
    _check_same_settings(job)
    data = read_training_data(config.data)
    settings = worker_settings(config, data.class_names)
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(_POLL_SECONDS))
    trainer = ray.train.torch.TorchTrainer(
        train_on_worker,
        train_loop_config=settings.model_dump(mode="json"),
        datasets={"training": data.training, "validation": data.validation},
        dataset_config=ray.train.DataConfig(datasets_to_split=["training"]),
        scaling_config=ray.train.ScalingConfig(
            num_workers=config.workers,
            use_gpu=job.gpus,
            resources_per_worker={"CPU": _WORKER_CPUS * config.threads, "GPU": 1 if job.gpus else 0},
        ),
        run_config=ray.train.RunConfig(  # type: ignore[call-arg]  # mypy sees the class of Ray Train 1
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
            name=config.name,
            storage_path=str(job.runs),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=_KEPT_CHECKPOINTS),
            worker_runtime_env={"env_vars": {} if job.gpus else _KEPT_MEMORY},
        ),
    )
    result = trainer.fit()
    if result.checkpoint is None:
        raise SimileError(f"run '{config.name}' ended without a checkpoint: {result.error}")
    with result.checkpoint.as_directory() as folder:
        history = read_history(Path(folder))
        size = _write(job, settings, data, Path(folder) / CHECKPOINT, history)
    last = {key: value for key, value in history[-1].flat().items() if key not in ("terms", "seconds")}
    return {
        "name": config.name,
        "seconds": round(time.monotonic() - started, 1),
        "training_seconds": round(sum(record.seconds for record in history), 1),
        "epochs": len(history),
        "workers": config.workers,
        **last,
        "bytes": size,
        "weights": str(job.output),
        "curves": str(job.output / "curves.json"),
    }


def worker_settings(config: TrainingConfig, class_names: Mapping[str, list[str]]) -> WorkerSettings:
    """The network and the numbers of classes that a configuration means for this data.

    Args:
        class_names: label column -> names of its classes.
    """
    counts = {column: len(names) for column, names in class_names.items()}
    taught = [term.column or config.data.labels[0] for term in config.losses if term.kind == "classes"]
    if config.teacher and any(term.kind == "teacher" for term in config.losses):
        taught += [c for c in config.data.labels[:1] if c in load_embedder(config.teacher).classifiers]
    network = {
        "backbone": config.network.backbone,
        "options": config.network.options,
        "dimension": config.network.dimension,
        "code_bits": config.network.code_bits,
        "classes": {column: counts[column] for column in config.data.labels if column in taught},
        "temperature": config.network.temperature,
    }
    return WorkerSettings(config=config, network=network, classes=counts)


def _check_same_settings(job: TrainingJob) -> None:
    """Write down the settings of a new run; refuse to continue a run under other settings."""
    folder = job.runs / job.config.name
    noted = folder / "settings.json"
    if job.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if noted.is_file():
        before = json.loads(noted.read_text(encoding="utf-8"))
        if before["fingerprint"] != job.config.fingerprint:
            raise SimileError(
                f"'{folder}' holds a run with other settings; start again with --fresh, or change `name:`"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    note = {"fingerprint": job.config.fingerprint, "config": job.config.model_dump(mode="json")}
    noted.write_text(json.dumps(note, indent=1), encoding="utf-8")


def _write(
    job: TrainingJob, settings: WorkerSettings, data: TrainingData, state: Path, history: list[EpochRecord]
) -> int:
    """Make the folder of weights from the network in `state`; the size of the weights in bytes."""
    from pipeline.networks import build_network
    from pipeline.training.card import MEASURED, licence_to_show, of_before, write_card
    from pipeline.training.export import export_network, restore_network

    network = build_network(settings.network)
    restore_network(network, state)
    source = job.source or job.config.data.source
    provenance = Provenance.of(job.config, source)
    size = export_network(network, job.config, settings.network, data.class_names, provenance, job.output)
    curves = json.dumps([record.flat() for record in history], indent=1)
    (job.output / "curves.json").write_text(curves + "\n", encoding="utf-8")
    card = job.output / "README.md"
    before = card.read_text(encoding="utf-8") if card.is_file() else ""
    kept = of_before(before) if MEASURED in before and not job.fresh else ""
    text = write_card(
        job.config,
        history,
        job.command,
        source=source,
        licence=licence_to_show(data.licence, job.config.data.licence),
        kept=kept,
        caution=overlap(job.config, source),
    )
    card.write_text(text, encoding="utf-8")
    return size
