"""One class for every family: a network, its preprocessing, and what makes its vectors comparable."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from pipeline.encoders import onnx_export
from pipeline.encoders.input_size import first_line, input_size_error
from pipeline.errors import SimileError
from pipeline.images import Picture, as_rgb
from pipeline.images.several import pictures_of

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["LOADING", "Encoder", "EncoderDescription", "Runtime"]

LOADING = threading.RLock()  # for loading networks: two threads cannot import transformers at once
Runtime = Literal["torch", "onnxruntime"]
# Long side over short side; longer images are cut to their middle first. Resizing the short side of a
# 1 × 50,000 image to 256 px would make 3.3 gigapixels.
MAX_ASPECT = 20
BATCH = 32  # images held in memory at once
# Pixels that pass through a network on a CPU together. More do not fit the CPU's cache: lite0 takes 1.2 times
# as long per image with 8 images of 224 px as with 1; of 32 px 8 images are 1.4 times as fast.
CPU_PIXELS = 128 * 128
GPU_BATCH = 128  # images; large enough to fill a GPU
EXPORT_PAYS = 20.0  # CPU seconds of torch above which the export (about 5 s, once) saves time


@dataclass(frozen=True)
class EncoderDescription:
    """Everything about an encoder but its weights. Vectors may be compared if the fingerprints are equal."""

    name: str  # as it was asked for
    family: str  # library and architecture: "timm:vgg16", "transformers:dinov2"
    dimension: int | None  # None: known only once it is loaded
    revision: str  # changes with the weights: Hub commit, or sha256 of the files
    preprocessing: dict[str, Any]  # as JSON holds it: size, crop, interpolation, mean, std
    embedding: str  # which vector of the network this is
    licence: str | None = None  # of the weights, where their card says so
    code_bits: int | None = None  # hash logits that follow the embedding in the raw output
    text: bool = False  # words can be embedded among the images

    @property
    def fingerprint(self) -> str:
        """16 hex digits. Where the files lie and how the name is written do not matter."""
        facts = [self.family, self.revision, self.preprocessing, self.embedding]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class Encoder:
    """Images -> (N, D) float32, the network's own output, not normalised.

    The same images give the same vectors; `preprocess` may run in many threads at once.
    """

    def __init__(
        self,
        description: EncoderDescription,
        network: nn.Module,
        transform: Callable[[Image.Image], torch.Tensor],
        *,
        device: str | None = None,
        runtime: Runtime | None = None,
        load_text: Callable[[], Callable[[Sequence[str]], np.ndarray]] | None = None,
        load_again: Callable[[], Encoder] | None = None,
    ) -> None:
        """Move `network` ((N, 3, H, W) -> (N, D)) to `device`, and pass one grey image through it.

        Args:
            runtime: what runs the network on a CPU; None: ONNX Runtime if the cache has a faster export.
            load_text: makes the text half, when words are first asked for.
            load_again: loads the same encoder where a pickle of this one is read.

        Raises:
            SimileError: no such device, or the network does not take images of this size.
        """
        import torch

        self._onnx: onnx_export.OnnxNetwork | None = None
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._transform = transform
        self._load_text = load_text
        self._load_again = load_again
        self._text: Callable[[Sequence[str]], np.ndarray] | None = None
        try:
            # channels_last: convolutions 1.1 to 1.6 times faster on a CPU, transformers as fast as before
            self._network = network.eval().requires_grad_(False).to(self.device)
            self._network.to(memory_format=torch.channels_last)
            self._forward = torch.compile(self._network) if self._compiles() else self._network
        except (RuntimeError, AssertionError) as error:
            raise SimileError(f"device '{self.device}' cannot be used: {first_line(error)}") from None
        probe = self.preprocess(Image.new("RGB", (64, 64), "grey"))
        self.input_size = max(probe.shape[1:])  # pixels
        try:
            width = self.encode_tensor(probe[None]).shape[1]
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            raise input_size_error(description.name, self.input_size, error) from None
        self.dimension = width - (description.code_bits or 0)
        self.description = replace(description, dimension=self.dimension)
        if self.device == "cpu" and runtime is None:
            self._onnx = onnx_export.find(self.fingerprint)
        if runtime == "onnxruntime":
            self._onnx = self._exported(even_if_slower=True)

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle holds the name and no weights: whoever reads it loads the encoder."""
        if self._load_again is None:
            raise SimileError(f"'{self.name}' was not loaded by its name, so it cannot be pickled.")
        return self._load_again, ()

    def __repr__(self) -> str:
        return f"<Encoder '{self.name}': {self.dimension} components, on {self.device}>"

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def fingerprint(self) -> str:
        return self.description.fingerprint

    @property
    def network(self) -> nn.Module:
        """On its device, for evaluation only; images -> raw output."""
        return self._network

    @property
    def runtime(self) -> Runtime:
        """What runs the network."""
        return "torch" if self._onnx is None else "onnxruntime"

    @property
    def batch_size(self) -> int:
        """Number of images that is fastest to pass through the network together."""
        if self.device.startswith("cuda"):
            return GPU_BATCH
        return min(BATCH, max(1, CPU_PIXELS // self.input_size**2))

    @property
    def decode_side(self) -> int:
        """Pixels: `min_side` for `images.decode`. A JPEG decoded at twice the input size or more gives nearly
        the same pixels as one decoded in full.
        """
        return 2 * self.input_size

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """(3, H, W) float32 on the CPU, prepared as in the network's training.

        Args:
            image: of any size, as `images.as_rgb` returns it. Other modes than RGB go through that first.
        """
        return self._transform(_middle(image if image.mode == "RGB" else as_rgb(image)))

    def encode(self, images: Sequence[Picture]) -> np.ndarray:
        """(N, D) float32 for N pictures, in any of the forms that `images.as_rgb` takes.

        Raises:
            ImageError: a file that cannot be read or decoded (the message names it), no picture, or a single
                one in place of a list.
        """
        import torch

        images = pictures_of(images, "encode")
        vectors = [np.empty((0, self.dimension), np.float32)]
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            batch = [self.preprocess(as_rgb(image, min_side=self.decode_side)) for image in part]
            vectors.append(self.encode_tensor(torch.stack(batch))[:, : self.dimension])
        return np.concatenate(vectors)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32 for N texts, in the space of the images; not normalised.

        Raises:
            SimileError: this encoder has no text half, or it cannot be loaded.
        """
        if self._load_text is None:
            raise SimileError(
                f"'{self.name}' knows no words; choose a CLIP or SigLIP of transformers, such as "
                "'hf:openai/clip-vit-base-patch32'"
            )
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        if self._text is None:
            with LOADING:
                self._text = self._text or self._load_text()
        return self._text(texts)

    def encode_tensor(self, batch: torch.Tensor) -> np.ndarray:
        """The network alone: (N, 3, H, W) float32 on any device -> (N, dimension + code_bits) float32.

        Where there is a hash head, its logits follow the embedding; the signs are the code.
        """
        import torch

        step = self.batch_size
        if self._onnx is not None:
            images = batch.cpu().contiguous().numpy()
            parts = [self._onnx(images[start : start + step]) for start in range(0, len(images), step)]
            return np.concatenate(parts)
        with torch.inference_mode(), self._precision():
            batch = batch.to(self.device, memory_format=torch.channels_last, non_blocking=True)
            return torch.cat([self._forward(part).float().cpu() for part in batch.split(step)]).numpy()

    def accelerate(self, images: int) -> None:
        """Use ONNX Runtime from now on if it is faster; the first time, this exports the network.

        Args:
            images: how many are to come. For a few seconds of work nothing is exported.
        """
        import torch

        if self.device != "cpu" or self._onnx is not None:
            return
        start = time.process_time()  # CPU time, which other programs on this machine do not change
        self.encode_tensor(torch.zeros(1, 3, self.input_size, self.input_size))
        if images * (time.process_time() - start) > EXPORT_PAYS:
            self._onnx = self._exported()

    def _exported(self, even_if_slower: bool = False) -> onnx_export.OnnxNetwork | None:
        import torch

        example = torch.empty(2, 3, self.input_size, self.input_size)
        example.normal_(generator=torch.Generator().manual_seed(0))
        return onnx_export.export(self.fingerprint, self._network, example, even_if_slower=even_if_slower)

    def spatial(self, batch: torch.Tensor) -> np.ndarray:
        """(N, 3, H, W) float32 on any device -> (N, h, w, D) float32: the embedding of each place.

        Where the network pools places by a mean or by GeM, the mean over h × w is the embedding itself. For a
        ViT it is the head's output for each patch token alone.

        Raises:
            SimileError: the network's embedding cannot be split into places.
        """
        import torch

        spatial = getattr(self._network, "spatial", None)
        try:
            if spatial is None:
                raise TypeError("it does not say which layer holds them")
            with torch.inference_mode(), self._precision():
                batch = batch.to(self.device, memory_format=torch.channels_last)
                places: torch.Tensor = spatial(batch)
                return places.float().cpu().numpy()
        except (SimileError, RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
            raise SimileError(
                f"'{self.name}' cannot show which places of a picture matter: {first_line(error)}; "
                "choose another encoder"
            ) from None

    def _compiles(self) -> bool:
        """Compiling takes a minute and pays off in long jobs on a GPU, so it has to be asked for."""
        return self.device.startswith("cuda") and os.environ.get("SIMILE_COMPILE") == "1"

    def _precision(self) -> AbstractContextManager[None]:
        """16-bit floats on a GPU, where they are several times faster; full precision elsewhere."""
        import torch

        if not self.device.startswith("cuda"):
            return nullcontext()
        # bfloat16 has the range of float32: large activations of ViTs overflow in float16
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", kind)


def _middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    longest = MAX_ASPECT * min(image.size)
    if max(image.size) <= longest:
        return image
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
