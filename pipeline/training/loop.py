"""Epochs, steps and checkpoints of one worker."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline.encoders.families.simile_models import load_embedder
from pipeline.errors import SimileError
from pipeline.networks import Embedder, Outputs, build_network
from pipeline.progress import say
from pipeline.training.augment import augment, normalise
from pipeline.training.config import WorkerSettings
from pipeline.training.data import Images
from pipeline.training.history import EpochRecord, StepLines
from pipeline.training.objective import Objective
from pipeline.training.optimizer import make_optimizer, rate_at
from pipeline.training.start import begin, fixed_features, remembers
from pipeline.training.state_file import read_state

__all__ = ["CHECKPOINT", "Run", "Teacher", "cpu_has_bfloat16", "read_history", "rows_of"]

CHECKPOINT = "state.pt"  # tensors and numbers only; read with weights_only=True
HISTORY = "history.json"
_BATCH = 50  # images that pass through a network together where it is not trained


class Run:
    """Network, optimizer and data of one worker."""

    def __init__(self, settings: WorkerSettings, data: Images, rank: int, world: int) -> None:
        """
        Args:
            data: this worker's training images.
            rank: 0 for the first worker.
            world: number of workers.
        """
        config = settings.config
        self.config, self.data, self.rank, self.world = config, data, rank, world
        self.device = _device()
        torch.manual_seed(config.seed)
        self.network = build_network(settings.network)
        self.teacher = Teacher(config.teacher, self.device) if config.teacher else None
        stays = remembers(self.network, config)
        if config.augment.variants and not stays:
            raise SimileError(
                "augment.variants needs a network with a frozen part; set network.frozen, or leave out "
                "augment.variants"
            )
        self.taught = self.teacher.of_all(len(data), self._images) if stays and self.teacher else None
        fixed = begin(self.network, config, data, self.taught, self.device)
        if fixed is None and stays and config.network.start_heads:  # whose weights all workers have
            fixed = fixed_features(self.network, data.pixels, config, self.device)
        self.objective = Objective(config, settings.classes)
        if fixed is not None:
            self._start_proxies(fixed)
        self.objective.to(self.device)
        self.network.to(self.device).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.network, self.objective.parameters(), config.optimizer)
        self.model = _synchronised(_Joined(self.network, self.objective, stays), world)
        self.variants = config.augment.variants or 1
        self.fixed = self._fixed(fixed) if stays else None
        self.batch = max(2, config.batch // world)
        if config.precision == "bfloat16" and self.device.type == "cpu" and not cpu_has_bfloat16():
            say("this processor has no arithmetic on 16-bit floats: training in float32")
        self.steps = max(1, _smallest(len(data), world, self.device) // self.batch)
        self.epoch = 0  # epochs that are done
        self.history: list[EpochRecord] = []
        self.odd = torch.rand(len(data), generator=torch.Generator().manual_seed(config.seed + rank)) < 0.5

    def train_epoch(self, epoch: int) -> EpochRecord:
        """One pass over this worker's images; the losses in the record are means over this worker's steps.

        Args:
            epoch: 0 for the first.
        """
        self.network.train()
        if self.config.network.frozen:
            self.network.backbone.eval()  # also the statistics of its norms
        random = torch.Generator().manual_seed(hash((self.config.seed, epoch, self.rank)) % 2**63)
        started, losses, sums = time.monotonic(), 0.0, dict[str, float]()
        lines = StepLines(self.steps, epoch + 1, self.rank == 0)
        for number, chosen in enumerate(self._batches(random)):
            self._set_rate(epoch * self.steps + number)
            loss, parts = self._step(chosen, epoch, random)
            losses += loss
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value / self.steps
            lines.step(number + 1, loss, started, (number + 1) * self.batch * self.world)
        seconds = time.monotonic() - started
        speed = self.steps * self.batch * self.world / seconds
        return EpochRecord(epoch + 1, losses / self.steps, sums, seconds, speed)

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
                taught = rows_of(self.taught, chosen.to(self.device)) if self.taught else None
                loss, parts = self.model(self._remembered(chosen, random), labels, taught)
            else:
                images = augment(
                    self._images(chosen.numpy()), self.config.augment, self.odd[chosen], epoch, random
                )
                taught = self.teacher.of(images) if self.teacher else None
                loss, parts = self.model(images, labels, taught)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.optimizer.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimizer.clip)
        self.optimizer.step()
        return loss.item(), parts

    def _images(self, chosen: slice | np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(self.data.pixels[chosen]).to(self.device)
        return normalise(pixels, self.config.network.mean, self.config.network.std)

    def _remembered(self, chosen: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """(B, K): rows of `fixed` for the images with the indexes `chosen`, a variant of each."""
        assert self.fixed is not None
        if self.variants > 1:
            chosen = chosen + len(self.data) * torch.randint(self.variants, chosen.shape, generator=random)
        return self.fixed[chosen.to(self.device)]

    def _fixed(self, known: torch.Tensor | None) -> torch.Tensor:
        """(variants · N, K) float32: `Embedder.fixed` of this worker's images, and of variants of them.

        Args:
            known: the same, if `begin` has computed it. It holds for a single worker only: of several, all
                take the network, and how it standardises, from the first one.
        """
        if known is None or self.world > 1:
            known = fixed_features(self.network, self.data.pixels, self.config, self.device)
        if self.variants == 1:
            return known.to(self.device)
        size = self.variants * known.nbytes / 1e9
        say(f"{self.variants} variants of {len(known)} images pass through the frozen part: {size:.1f} GB")
        kept = torch.empty(self.variants, *known.shape, device=self.device)
        kept[0] = known
        for variant in range(1, self.variants):
            pixels = self.data.pixels
            fixed_features(self.network, pixels, self.config, self.device, variant, kept[variant])
        return kept.flatten(0, 1)

    @torch.no_grad()
    def _start_proxies(self, fixed: torch.Tensor) -> None:
        self.network.eval()
        found = [self.network.from_fixed(part).embedding for part in fixed.split(_BATCH)]
        self.objective.begin(torch.cat(found), torch.from_numpy(self.data.labels))

    def _precision(self) -> AbstractContextManager[None]:
        kind = self.device.type
        half = self.config.precision == "bfloat16" and (kind != "cpu" or cpu_has_bfloat16())
        return torch.autocast(kind, torch.bfloat16) if half else nullcontext()

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
        (folder / HISTORY).write_text(
            json.dumps([record.flat() for record in self.history]), encoding="utf-8"
        )

    def restore(self, folder: Path) -> None:
        """Continue where `save` was called; the driver has checked that the settings are the same."""
        parts = read_state(folder / CHECKPOINT, self.device)
        few = partial(fixed_features, self.network, self.data.pixels[:_BATCH], self.config, self.device)
        before = None if self.fixed is None else few()
        self.network.load_state_dict(parts["network"])
        if before is not None and not torch.allclose(before, few()):  # other workers standardised it
            self.fixed = self._fixed(None)
        self.objective.load_state_dict(parts["objective"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.epoch = parts["epoch"]
        self.history = read_history(folder)


def cpu_has_bfloat16() -> bool:
    """Whether arithmetic on 16-bit floats is of use: an x86 processor without AVX-512 has none, and takes ten
    to a hundred times as long as with 32 bits.
    """
    of_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return not of_x86 or torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def read_history(folder: Path) -> list[EpochRecord]:
    """The records in a checkpoint's folder."""
    records = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    return [EpochRecord.from_flat(record) for record in records]


class _Joined(nn.Module):
    """Network and losses as one module: gradients of both are averaged over the workers."""

    def __init__(self, network: Embedder, objective: nn.Module, fixed: bool) -> None:
        """
        Args:
            fixed: the inputs are outputs of `Embedder.fixed`, not images.
        """
        super().__init__()
        self.network, self.objective, self.fixed = network, objective, fixed

    def forward(
        self, inputs: torch.Tensor, labels: torch.Tensor, teacher: Outputs | None
    ) -> tuple[torch.Tensor, dict[str, float]]:
        outputs = self.network.from_fixed(inputs) if self.fixed else self.network(inputs)
        found: tuple[torch.Tensor, dict[str, float]] = self.objective(outputs, labels, teacher)
        return found


def _synchronised(joined: _Joined, world: int) -> nn.Module:
    if world == 1:
        return joined
    return nn.parallel.DistributedDataParallel(joined)


def _device() -> torch.device:
    import ray.train.torch

    return ray.train.torch.get_device()


def _smallest(count: int, world: int, device: torch.device) -> int:
    """The smallest number of images of any worker, because all must make the same number of steps."""
    if world == 1:
        return count
    number = torch.tensor([count], device=device)
    torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MIN)
    return int(number.item())


class Teacher:
    """A trained network, by name, whose outputs are imitated; it is not trained."""

    def __init__(self, name: str, device: torch.device) -> None:
        network = load_embedder(name).eval().requires_grad_(False)
        self.network = network.to(device).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def of(self, images: torch.Tensor) -> Outputs:
        """Its outputs for normalised images (B, 3, H, W)."""
        outputs: Outputs = self.network(images)
        return outputs

    def of_all(self, count: int, images: Callable[[slice], torch.Tensor]) -> Outputs:
        """Its outputs for `count` images.

        Args:
            images: gives the normalised images of a slice of 0 … count.
        """
        parts = [self.of(images(slice(first, first + _BATCH))) for first in range(0, count, _BATCH)]
        code = torch.cat([p.code for p in parts if p.code is not None]) if self.network.code else None
        classes = {c: torch.cat([p.classes[c] for p in parts]) for c in parts[0].classes}
        return Outputs(torch.cat([p.embedding for p in parts]), code, classes)


def rows_of(outputs: Outputs, at: torch.Tensor) -> Outputs:
    """The outputs for the images with the indexes `at` (B,)."""
    code = outputs.code[at] if outputs.code is not None else None
    return Outputs(outputs.embedding[at], code, {c: logits[at] for c, logits in outputs.classes.items()})
