"""A network on a GPU: what keeps it busy while threads on the CPU prepare its pictures.

Each thread has a stream of its own, so that its pixels are copied while the network works for another thread.
Pixels travel as bytes from pinned memory, and become 16-bit floats on the GPU.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from pipeline.errors import SimileError

__all__ = ["GpuNetwork", "half_precision"]

log = logging.getLogger("simile")
_TRIES, _PATIENCE_SECONDS = 5, 5.0  # of a single picture, while other actors hold the GPU's memory


def half_precision(device: str | torch.device) -> torch.autocast:
    """16-bit floats, several times faster on a GPU. bfloat16 has the range of float32: large activations of
    ViTs overflow in float16, which is left to GPUs that have no other.
    """
    kind = torch.device(device).type
    has_bfloat = kind != "cuda" or torch.cuda.is_bf16_supported()
    return torch.autocast(kind, torch.bfloat16 if has_bfloat else torch.float16)


class GpuNetwork:
    """(N, 3, H, W) on the CPU -> (N, D) float32 there; many threads may call it at once.

    On a CPU it computes the same, without streams and pinned memory: for machines without a GPU to test it.
    """

    def __init__(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        normalised: Callable[[torch.Tensor], torch.Tensor],
        device: str,
        batch: int,
    ) -> None:
        """
        Args:
            network: on `device`, in channels-last layout.
            normalised: makes floats of bytes, on `device`.
            batch: images at once, if they fit.
        """
        self.batch = batch  # smaller once the memory was found too small
        self._network, self._normalised, self._device = network, normalised, torch.device(device)
        self._own = threading.local()
        self._changing = threading.Lock()

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        """
        Raises:
            SimileError: a single picture does not fit into the memory of the GPU.
        """
        done: list[np.ndarray] = []
        at, most, tries = 0, len(images), 0
        while at < len(images):
            part = images[at : at + min(self.batch, most)]
            try:
                done.append(self._run(part))
                at += len(part)
            except torch.OutOfMemoryError:
                self._give_back()
                if len(part) == 1:
                    tries += 1
                    self._wait(tries)
                elif len(part) < self.batch:  # more did fit before: only these few are taken in smaller parts
                    most = len(part) // 2
                else:
                    self._halve(len(part))
        return np.concatenate(done)

    def _run(self, part: torch.Tensor) -> np.ndarray:
        is_gpu = self._device.type == "cuda"
        with torch.inference_mode(), self._stream(), half_precision(self._device):
            sent = (part.pin_memory() if is_gpu and part.device.type == "cpu" else part).to(
                self._device, non_blocking=True
            )
            pixels = self._normalised(sent).contiguous(memory_format=torch.channels_last)
            raw = self._network(pixels).float()
            if not is_gpu:
                return raw.numpy()
            result = torch.empty(raw.shape, pin_memory=True).copy_(raw, non_blocking=True)
            torch.cuda.current_stream(self._device).synchronize()
            return result.numpy()

    def _stream(self) -> AbstractContextManager[Any]:
        """That of this thread."""
        if self._device.type != "cuda":
            return nullcontext()
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self._device)
            self._own.stream.wait_stream(torch.cuda.default_stream(self._device))  # which brought the weights
        return torch.cuda.stream(self._own.stream)

    def _wait(self, tries: int) -> None:
        """Wait, after a single picture did not fit: other processes on this GPU may free memory in a moment.

        Raises:
            SimileError: it has been tried often enough.
        """
        if tries > _TRIES:
            raise SimileError(
                f"a single picture does not fit into the memory of '{self._device}'; choose a smaller "
                "network or input size, or give each actor more of the GPU (--gpus-per-actor 1)"
            )
        time.sleep(_PATIENCE_SECONDS / _TRIES)

    def _give_back(self) -> None:
        """Return to the GPU the memory that this process holds and does not use."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _halve(self, tried: int) -> None:
        """After so many images did not fit; other threads may have found the same meanwhile."""
        with self._changing:
            if self.batch >= tried:
                self.batch = tried // 2
                log.warning(
                    "%d pictures at once do not fit into the memory of '%s'; it gets %d from now on",
                    tried,
                    self._device,
                    self.batch,
                )
