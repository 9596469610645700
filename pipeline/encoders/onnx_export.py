"""Networks on a CPU by ONNX Runtime: exported once, compared with torch, and used if they are faster.

CPU milliseconds an image on one core (AMD EPYC, 224 px, torch 2.14.1 channels_last -> ONNX Runtime 1.32.0):
EfficientNet-Lite0 13 -> 5, EfficientNet-B0 14 -> 6, ResNet-50 65 -> 34, DenseNet-121 49 -> 24, VGG-16
130 -> 115, ConvNeXt-T 90 -> 47, ViT-B/16 310 -> 153, DINOv2-S 112 -> 56, CLIP ViT-B/32 80 -> 37, SigLIP-B
318 -> 153. The faster one is not chosen by this table, but measured at the export, on the machine in use.

<cache>/onnx/<encoder fingerprint>-<versions>.onnx   the network
<cache>/onnx/<encoder fingerprint>-<versions>.json   what was measured: the mark that the export is complete

Every export is checked to give torch's vectors to within `TOLERANCE`, so the runtime is not part of an
encoder's fingerprint.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.encoders.onnx_network import OnnxNetwork
from pipeline.errors import SimileError
from pipeline.home import cache_folder

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["TOLERANCE", "export", "find"]

TOLERANCE = 1e-4  # largest difference of a component, as a share of the largest component; measured: 2e-6
MAX_BYTES = 1_800_000_000  # of weights; above 2 GB the format needs several files
LARGEST_BATCH = 4096
log = logging.getLogger("simile")


def find(fingerprint: str) -> OnnxNetwork | None:
    """The export of this encoder, if there is one in the cache that is faster than torch."""
    record = _record(fingerprint)
    if record is None or record["fastest"] != "onnxruntime":
        return None
    return OnnxNetwork(_file(fingerprint))


def export(
    fingerprint: str, network: nn.Module, example: torch.Tensor, *, even_if_slower: bool = False
) -> OnnxNetwork | None:
    """Export `network` unless the cache has it; None if torch is faster, or it cannot be exported.

    Args:
        fingerprint: of the encoder.
        network: on the CPU; (N, 3, H, W) -> (N, D).
        example: (2, 3, H, W) float32, of which every size but N will be fixed.
        even_if_slower: never None.

    Raises:
        SimileError: `even_if_slower`, and it cannot be exported, or its vectors are not those of torch.
    """

    if _record(fingerprint) is None:
        try:
            _file(fingerprint).parent.mkdir(parents=True, exist_ok=True)
            record = _try(fingerprint, network, example)
            draft = _file(fingerprint).with_suffix(f".{uuid.uuid4().hex}.draft")
            draft.write_text(json.dumps(record, indent=1), encoding="utf-8")
            draft.replace(_file(fingerprint).with_suffix(".json"))
        except OSError as error:  # a full or read-only disk: the network runs by torch
            log.warning("no cache for ONNX exports at %s: %s", _file(fingerprint).parent, error)
    if not even_if_slower:
        return find(fingerprint)
    record = _record(fingerprint) or {}
    if record.get("difference", 1.0) > TOLERANCE:
        raise SimileError(
            f"ONNX Runtime cannot run this network as torch does ({record}); leave out runtime='onnxruntime'"
        )
    return OnnxNetwork(_file(fingerprint))


def _try(fingerprint: str, network: nn.Module, example: torch.Tensor) -> dict[str, Any]:
    """Export, compare and measure; returns the record that is kept beside the export."""
    import torch

    file = _file(fingerprint)
    if sum(p.nbytes for p in network.parameters()) > MAX_BYTES:
        return {"fastest": "torch", "reason": f"more than {MAX_BYTES:,} bytes of weights"}
    draft = file.with_suffix(f".{uuid.uuid4().hex}.draft")
    try:
        batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
        program = torch.onnx.export(
            network, (example,), dynamo=True, dynamic_shapes=({0: batch},), verbose=False
        )
        assert program is not None  # as `dynamo` promises
        program.save(str(draft))
        exported = OnnxNetwork(draft)
        return _compared(network, exported, example) | {"bytes": draft.stat().st_size}
    except OSError:
        raise
    except Exception as error:  # exporter and engine raise nearly anything for an operator they do not know
        cause = error.__cause__ or error  # the exporter wraps what happened in advice
        return {"fastest": "torch", "reason": f"{type(cause).__name__}: {str(cause).strip()[:300]}"}
    finally:
        if draft.exists():
            draft.replace(file)


def _compared(network: nn.Module, exported: OnnxNetwork, example: torch.Tensor) -> dict[str, Any]:
    import torch

    one = example[:1].contiguous()
    pixels, image = one.numpy(), one.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected, torch_seconds = _timed(lambda: network(image).numpy())
    found, onnx_seconds = _timed(lambda: exported(pixels))
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    fastest = "onnxruntime" if onnx_seconds < torch_seconds and difference <= TOLERANCE else "torch"
    return {
        "fastest": fastest,
        "difference": difference,
        "torch_seconds": torch_seconds,
        "onnxruntime_seconds": onnx_seconds,
    }


def _timed(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """The result, and the CPU seconds of the best of three runs, after a first one that allocates memory.

    CPU seconds count, not wall-clock time, because in a job every core is busy with images of its own.
    """
    result, seconds = run(), []
    for _ in range(3):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def _file(fingerprint: str) -> Path:
    import torch

    versions = f"torch{torch.__version__.split('+')[0]}-ort{importlib.metadata.version('onnxruntime')}"
    return cache_folder() / "onnx" / f"{fingerprint}-{versions}.onnx"


def _record(fingerprint: str) -> dict[str, Any] | None:
    file = _file(fingerprint)
    try:
        record = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never exported, or half a file: export again
        return None
    return record if record["fastest"] == "torch" or file.is_file() else None
