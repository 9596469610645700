"""The state of a training run in a file of torch, read without running what is in it."""

import pickle
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import SimileError

__all__ = ["read_state"]


def read_state(file: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """The parts that `pipeline.training.loop.Run.save` wrote.

    Raises:
        SimileError: the file is damaged, or holds more than tensors and plain values.
    """
    try:
        parts = torch.load(file, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise SimileError(
            f"the checkpoint '{file}' cannot be read ({first}); start again with --fresh"
        ) from None
    if not isinstance(parts, dict) or "network" not in parts:
        raise SimileError(f"'{file}' is no checkpoint of ray_jobs.train; start again with --fresh")
    return parts
