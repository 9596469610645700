"""What every worker of a run does. Ray Train calls `train_on_worker` once on each."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.training.augment import augment, normalise
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images, collect
from pipeline.training.networks import Embedder, Outputs, build_network
from pipeline.training.objective import Objective
from pipeline.training.optimizer import make_optimizer, rate_at
from pipeline.training.start import begin, fixed_features, remembers
from pipeline.training.validation import validate

__all__ = ["CHECKPOINT", "HISTORY", "train_on_worker"]

CHECKPOINT = "state.pt"  # tensors and numbers only; read with weights_only=True
HISTORY = "history.json"
_BATCH = 50  # images, where nothing is learnt
_SECONDS_BETWEEN_LINES = 20.0  # of progress within an epoch


def train_on_worker(settings: dict[str, Any]) -> None:
    """Train `settings["config"]` on this worker's part of the data, from the run's last checkpoint on.

    Args:
        settings: `config` (a TrainingConfig as a dict), `network` (for `build_network`) and `classes`
            (number of classes of each label column).
    """
    import ray.train

    config = TrainingConfig.model_validate(settings["config"])
    torch.set_num_threads(config.threads)
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    training = collect(ray.train.get_dataset_shard("training"), config.data.pixels)
    held_out = (
        collect(ray.train.get_dataset_shard("validation"), config.data.pixels)
        if rank == 0 and config.data.validation
        else None
    )
    run = Run(config, settings, training, rank, world)
    state = ray.train.get_checkpoint()
    if state:
        with state.as_directory() as folder:
            run.restore(Path(folder))
    for epoch in range(run.epoch, config.epochs):
        record = run.train_epoch(epoch)
        last = epoch + 1 == config.epochs
        if held_out is not None and (last or (epoch + 1) % config.validate_every == 0):
            record |= validate(run.network, held_out, config, run.device)
        run.history.append(record)
        if rank:
            ray.train.report(record)
            continue
        _say(_line(record, config.epochs))
        with tempfile.TemporaryDirectory() as folder:
            run.save(Path(folder), epoch + 1)
            ray.train.report(record, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # Ray Train repeats what is printed
    sys.stderr.flush()


def _line(record: dict[str, Any], epochs: int) -> str:
    shown = (f"{key} {value:.4g}" for key, value in record.items() if key not in ("epoch", "terms"))
    return f"epoch {record['epoch']}/{epochs}: {', '.join(shown)}"


@dataclass
class _Progress:
    """One line now and then, because an epoch can take minutes."""

    steps: int
    epoch: int
    loud: bool
    printed: float = 0.0

    def step(self, number: int, loss: float, started: float, images: int) -> None:
        now = time.monotonic()
        if not self.loud or now - max(self.printed, started) < _SECONDS_BETWEEN_LINES:
            return
        self.printed = now
        speed = images / (now - started)
        text = f"  epoch {self.epoch}, step {number}/{self.steps}: loss {loss:.3f}, {speed:.0f} images/s"
        _say(text)


class Run:
    """Network, optimizer and data of one worker."""

    def __init__(
        self, config: TrainingConfig, settings: dict[str, Any], data: Images, rank: int, world: int
    ) -> None:
        self.config, self.data, self.rank, self.world = config, data, rank, world
        self.device = _device()
        torch.manual_seed(config.seed)
        self.network = build_network(settings["network"])
        self.teacher = _teacher(config.teacher, self.device)
        stays = remembers(self.network, config)
        self.taught = self._all_taught() if stays and self.teacher is not None else None
        fixed = begin(self.network, config, data, self.taught, self.device)
        self.objective = Objective(config, settings["classes"])
        if fixed is not None:
            self._start_proxies(fixed)
        self.objective.to(self.device)
        self.network.to(self.device).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.network, self.objective.parameters(), config.optimizer)
        self.model = _synchronised(_Joined(self.network, self.objective, stays), world)
        self.fixed = self._fixed(fixed) if stays else None
        self.batch = max(2, config.batch // world)
        self.steps = max(1, _smallest(len(data), world, self.device) // self.batch)
        self.epoch, self.history = 0, []  # type: ignore[var-annotated]
        self.odd = torch.rand(len(data), generator=torch.Generator().manual_seed(config.seed + rank)) < 0.5

    def train_epoch(self, epoch: int) -> dict[str, Any]:
        """One pass over this worker's images; the means of losses are this worker's."""
        self.network.train()
        if self.config.network.frozen:
            self.network.backbone.eval()  # also the statistics of its norms
        random = torch.Generator().manual_seed(hash((self.config.seed, epoch, self.rank)) % 2**63)
        started, losses, sums = time.monotonic(), 0.0, dict[str, float]()
        progress = _Progress(self.steps, epoch + 1, self.rank == 0)
        for number, chosen in enumerate(self._batches(random)):
            self._set_rate(epoch * self.steps + number)
            loss, parts = self._step(chosen, epoch, random)
            losses += loss
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value / self.steps
            progress.step(number + 1, loss, started, (number + 1) * self.batch * self.world)
        seconds = time.monotonic() - started
        speed = self.steps * self.batch * self.world / seconds
        record: dict[str, Any] = {"epoch": epoch + 1, "loss": losses / self.steps, "terms": sums}
        return record | {"seconds": seconds, "images_per_second": speed}

    def _batches(self, random: torch.Generator) -> Iterator[torch.Tensor]:
        """`steps` index sets; with `per_class`, that many images of each class in the batch."""
        if not self.config.per_class:
            order = torch.randperm(len(self.data), generator=random)
            yield from order[: self.steps * self.batch].split(self.batch)
            return
        labels = self.data.labels[:, 0]
        members = [torch.from_numpy(np.flatnonzero(labels == c)) for c in np.unique(labels)]
        classes = max(2, self.batch // self.config.per_class)
        weights = torch.tensor([float(len(m)) for m in members]).sqrt()
        for _ in range(self.steps):
            few = torch.multinomial(weights, min(classes, len(members)), generator=random)
            drawn = [
                members[c][torch.randperm(len(members[c]), generator=random)[: self.config.per_class]]
                for c in few
            ]
            yield torch.cat(drawn)

    def _step(
        self, chosen: torch.Tensor, epoch: int, random: torch.Generator
    ) -> tuple[float, dict[str, float]]:
        labels = torch.from_numpy(self.data.labels[chosen.numpy()]).to(self.device)
        with self._precision():
            if self.fixed is not None:
                taught = self._known(chosen) if self.taught is not None else None
                loss, parts = self.model(self.fixed[chosen.to(self.device)], labels, taught)
            else:
                images = augment(
                    self._images(chosen.numpy()), self.config.augment, self.odd[chosen], epoch, random
                )
                loss, parts = self.model(images, labels, self._taught(images))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.optimizer.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimizer.clip)
        self.optimizer.step()
        return loss.item(), parts

    def _images(self, chosen: Any) -> torch.Tensor:
        pixels = torch.from_numpy(self.data.pixels[chosen]).to(self.device)
        return normalise(pixels, self.config.network.mean, self.config.network.std)

    def _fixed(self, known: torch.Tensor | None) -> torch.Tensor:
        """(N, K) float32 of this worker's images: `Embedder.fixed`.

        Those of several workers are standardised as those of the first one.
        """
        if known is not None and self.world == 1:
            return known.to(self.device)
        return fixed_features(self.network, self.data.pixels, self.config, self.device).to(self.device)

    @torch.no_grad()
    def _start_proxies(self, fixed: torch.Tensor) -> None:
        self.network.eval()
        found = [self.network.from_fixed(part).embedding for part in fixed.split(_BATCH)]
        self.objective.begin(torch.cat(found), torch.from_numpy(self.data.labels))

    @torch.no_grad()
    def _all_taught(self) -> Outputs:
        """The teacher's outputs for all images of this worker."""
        assert self.teacher is not None
        parts = []
        for start in range(0, len(self.data), _BATCH):
            parts.append(self.teacher(self._images(slice(start, start + _BATCH))))
        code = torch.cat([p.code for p in parts if p.code is not None]) if self.teacher.code else None
        classes = {c: torch.cat([p.classes[c] for p in parts]) for c in parts[0].classes}
        return Outputs(torch.cat([p.embedding for p in parts]), code, classes)

    def _known(self, chosen: torch.Tensor) -> Outputs:
        assert self.taught is not None
        found, at = self.taught, chosen.to(self.device)
        code = found.code[at] if found.code is not None else None
        return Outputs(found.embedding[at], code, {c: logits[at] for c, logits in found.classes.items()})

    def _precision(self) -> Any:
        kind = self.device.type
        return torch.autocast(kind, torch.bfloat16) if self.config.precision == "bfloat16" else nullcontext()

    @torch.no_grad()
    def _taught(self, images: torch.Tensor) -> Outputs | None:
        return self.teacher(images) if self.teacher is not None else None

    def _set_rate(self, step: int) -> None:
        rate = rate_at(step, self.steps * self.config.epochs, self.config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]

    def save(self, folder: Path, epoch: int) -> None:
        """Everything that the next epoch needs."""
        parts = {
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": epoch,
            "fingerprint": self.config.fingerprint,
        }
        torch.save(parts, folder / CHECKPOINT)
        (folder / HISTORY).write_text(json.dumps(self.history), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Go on where `save` was called; the driver has checked that the settings are the same."""
        parts = torch.load(folder / CHECKPOINT, map_location=self.device, weights_only=True)
        self.network.load_state_dict(parts["network"])
        self.objective.load_state_dict(parts["objective"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.epoch = parts["epoch"]
        self.history = json.loads((folder / HISTORY).read_text(encoding="utf-8"))


class _Joined(nn.Module):
    """Network and losses as one module: gradients of both are averaged over the workers."""

    def __init__(self, network: Embedder, objective: nn.Module, fixed: bool) -> None:
        """Args:
        fixed: what comes in is `Embedder.fixed` of images, not images.
        """
        super().__init__()
        self.network, self.objective, self.fixed = network, objective, fixed

    def forward(
        self, inputs: torch.Tensor, labels: torch.Tensor, teacher: Outputs | None
    ) -> tuple[torch.Tensor, dict[str, float]]:
        outputs = self.network.from_fixed(inputs) if self.fixed else self.network(inputs)
        return self.objective(outputs, labels, teacher)


def _synchronised(joined: _Joined, world: int) -> nn.Module:
    if world == 1:
        return joined
    return nn.parallel.DistributedDataParallel(joined)


def _device() -> torch.device:
    import ray.train.torch

    return ray.train.torch.get_device()


def _smallest(count: int, world: int, device: torch.device) -> int:
    """Of the workers' numbers of images: all have to make the same number of steps."""
    if world == 1:
        return count
    number = torch.tensor([count], device=device)
    torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MIN)
    return int(number.item())


def _teacher(name: str | None, device: torch.device) -> Embedder | None:
    if name is None:
        return None
    from pipeline.encoders.simile_models import load_embedder

    return load_embedder(name).eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
