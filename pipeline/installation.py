"""What is installed: sentences about what a light installation (requirements-light.txt) leaves out, and about
no installation at all.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import SimileError

__all__ = ["ADD_TORCH", "default_device", "end_without_packages", "has_torch", "need_torch"]

ADD_TORCH = "pip install -r requirements.txt"
_EVERYWHERE = ("numpy", "PIL", "pyarrow", "qdrant_client", "tqdm")  # what every program imports at once
_LEFT_OUT = ("torch", "torchvision", "timm", "transformers")
_DRIVERS = {"win32": "nvcuda.dll"}  # of NVIDIA, by `sys.platform`; torch loads the same library
_AMD = Path("/dev/kfd")  # the device file of AMD's driver


def end_without_packages() -> None:
    """End the program with a sentence where Simile's packages are not installed, as on a bare Ray cluster.

    Packages that hold programs call it when they are imported: before any import that would fail.

    Raises:
        SystemExit: a module that every program needs is missing.
    """
    if missing := _missing(_EVERYWHERE):
        raise SystemExit(
            f"error: {sys.executable} has no {', '.join(missing)}; run in Simile's folder: {ADD_TORCH}. A "
            "Ray cluster gets them with the job: ray job submit --runtime-env deploy/runtime-env.yaml"
        )


def has_torch() -> bool:
    """Whether torch and the libraries of models are installed. Imports none of them."""
    return not _missing(_LEFT_OUT)


def need_torch(what: str) -> None:
    """Refuse what a light installation cannot do.

    Args:
        what: the subject of the sentence, such as "training".

    Raises:
        SimileError: torch, torchvision, timm or transformers is not installed.
    """
    if missing := _missing(_LEFT_OUT):
        raise SimileError(
            f"{what} needs {', '.join(missing)}, which a light installation leaves out; "
            f"to add what is missing, run in Simile's folder: {ADD_TORCH}"
        )


def default_device() -> str:
    """`cuda` where torch can use a GPU, else `cpu`.

    torch takes seconds to import, so it is asked only where there is a driver of a GPU.
    """
    if "torch" not in sys.modules and not (_has_driver() and has_torch()):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _missing(modules: Iterable[str]) -> list[str]:
    return [name for name in modules if find_spec(name) is None]


def _has_driver() -> bool:
    try:
        ctypes.CDLL(_DRIVERS.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return _AMD.exists()
    return True
