"""What every worker of a run does. Ray Train calls `train_on_worker` once on each."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipeline.progress import say
from pipeline.training.config import WorkerSettings
from pipeline.training.data import collect
from pipeline.training.loop import Run
from pipeline.training.validation import validate

__all__ = ["train_on_worker"]


def train_on_worker(plain: dict[str, Any]) -> None:
    """Train on this worker's part of the data, from the run's last checkpoint on.

    Args:
        plain: `WorkerSettings` as JSON has them.
    """
    import ray.train

    settings = WorkerSettings.model_validate(plain)
    config = settings.config
    torch.set_num_threads(config.threads)
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    training = collect(ray.train.get_dataset_shard("training"), config.data.pixels)
    held_out = (
        collect(ray.train.get_dataset_shard("validation"), config.data.pixels)
        if rank == 0 and config.data.validation
        else None
    )
    run = Run(settings, training, rank, world)
    state = ray.train.get_checkpoint()
    if state:
        with state.as_directory() as folder:
            run.restore(Path(folder))
    for epoch in range(run.epoch, config.epochs):
        record = run.train_epoch(epoch)
        last = epoch + 1 == config.epochs
        if held_out is not None and (last or (epoch + 1) % config.validate_every == 0):
            record = replace(record, figures=validate(run.network, held_out, config, run.device))
        run.history.append(record)
        if rank:
            ray.train.report(record.flat())
            continue
        say(record.line(config.epochs))
        with tempfile.TemporaryDirectory() as folder:
            run.save(Path(folder), epoch + 1)
            ray.train.report(record.flat(), checkpoint=ray.train.Checkpoint.from_directory(folder))
