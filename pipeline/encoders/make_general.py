"""Write weights/general again: python -m pipeline.encoders.make_general [--start NAME --folder DIR]

It is EfficientNet-Lite0 of PyPI without its classifier, its last feature map pooled by GeM instead of a mean;
whole pictures are taken, where that encoder cuts their margins off. Nothing is trained: what all pictures
of a collection share is taken from its vectors by the projection that the index job fits to the collection.
With --start the same is made of a larger EfficientNet-Lite, in a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipeline.encoders.checkpoint import PROVENANCE, SIMILE
from pipeline.encoders.families.pypi_models import INPUT_SIZES, architecture
from pipeline.encoders.families.simile_models import write_weights
from pipeline.encoders.load import load_encoder
from pipeline.encoders.make_onnx import make_onnx
from pipeline.encoders.names import WEIGHTS_ROOT, parse_name
from pipeline.errors import SimileError
from pipeline.installation import need_torch

__all__ = ["NAME", "START", "main", "make_general", "whole"]

NAME = "general"
START = "pypi:efficientnet-lite0"
_STARTS = tuple(f"pypi:{name}" for name in INPUT_SIZES)


def main(arguments: list[str] | None = None) -> None:
    """Write the folder, and the ONNX files in it; one line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.encoders.make_general", description=__doc__)
    parser.add_argument(
        "--start", default=START, metavar="NAME", help=f"{', '.join(_STARTS)} (default: {START})"
    )
    parser.add_argument("--folder", type=Path, help=f"where to write (default for {START}: weights/{NAME})")
    options = parser.parse_args(arguments)
    if options.folder is None and options.start != START:
        parser.error(f"weights/{NAME} is made of {START}; give --folder for another start")
    folder = (options.folder or WEIGHTS_ROOT / NAME).expanduser().absolute()
    try:
        need_torch("making the general encoder")
        size = make_general(folder, options.start)
        print(f"{folder}: {size:,} bytes; {make_onnx(str(folder))}", flush=True)
    except SimileError as error:
        sys.exit(f"error: {error}")


def whole(start: str) -> str:
    """The encoder `start` at its own input size; with a size in its name it takes whole pictures.

    Raises:
        SimileError: not one of PyPI's networks.
    """
    if start not in _STARTS:
        raise SimileError(f"'{start}' is no network to start from; expected one of {', '.join(_STARTS)}")
    return f"{start}@{INPUT_SIZES[parse_name(start).place]}px"


def make_general(folder: Path, start: str = START) -> int:
    """Write model.safetensors and config.json; returns the size of the weights in bytes. The card stays.

    Args:
        folder: made if it is not there; one that holds this network already is written anew.
        start: the network of PyPI whose weights are taken.

    Raises:
        SimileError: not one of PyPI's networks, its weights are not installed, or the folder holds
            something else.
    """
    from pipeline.networks import build_network

    pretrained = load_encoder(whole(start), device="cpu", runtime="torch")
    description = {
        "backbone": "pooled-cnn",
        "options": {"architecture": architecture(parse_name(start))},
        "dimension": None,
        "code_bits": None,
        "classes": {},
        "temperature": 1.0,
    }
    _refuse_other_content(folder, description)
    network = build_network(description)
    backbone: Any = network.backbone
    backbone.load_pretrained(pretrained.network.model)
    written = {
        "model_type": SIMILE,
        "name": NAME,
        "network": description,
        "embedding": "generalised mean (GeM) over the last feature map",
        "mirror": False,
        "preprocessing": pretrained.description.preprocessing,
        PROVENANCE: {
            "source": "ImageNet-1k",
            "split": "train",
            "protocol": "none",
            "validation": 0.0,
            "start": start,
            "teacher": None,
        },
        "class_names": {},
    }
    return write_weights(network, written, folder)


def _refuse_other_content(folder: Path, description: dict[str, Any]) -> None:
    """Raises SimileError unless the folder is new, empty, or holds a network of this description."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        same = found["model_type"] == SIMILE and found["network"] == description
    except (OSError, ValueError, TypeError, KeyError):
        same = False
    if not same:
        raise SimileError(f"'{folder}' holds something else than this network; name a new or empty folder")


if __name__ == "__main__":
    main()
