"""One class for every family: a network, its preprocessing, and what makes its vectors comparable."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from pipeline.encoders import onnx_export
from pipeline.encoders.all_cores import on_all_cores
from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.input_size import first_line, input_size_error
from pipeline.encoders.preprocessing import Transform
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, Picture, as_rgb
from pipeline.images.several import pictures_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pipeline.encoders.gpu import GpuNetwork

__all__ = ["LOADING", "Encoder", "EncoderDescription", "Runtime"]

LOADING = threading.RLock()  # for loading networks: two threads cannot import transformers at once
Runtime = Literal["torch", "onnxruntime"]
# Long side over short side; longer images are cut to their middle first. Resizing the short side of a
# 1 × 50,000 image to 256 px would make 3.3 gigapixels.
MAX_ASPECT = 20
USUAL_CROP = 0.875  # input size over short side of the whole picture, where a transform does not say its own
BATCH = 32  # images held in memory at once
# Pixels that pass through a network on a CPU together. More do not fit the CPU's cache: lite0 takes 1.2 times
# as long per image with 8 images of 224 px as with 1; of 32 px 8 images are 1.4 times as fast.
CPU_PIXELS = 128 * 128
GPU_BATCH = 256  # images; large enough to fill a GPU
EXPORT_PAYS = 20.0  # CPU seconds of torch above which the export (about 5 s, once) saves time


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
        self._gpu: GpuNetwork | None = None
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
        if self.device.startswith("cuda"):
            from pipeline.encoders.gpu import GpuNetwork

            self._gpu = GpuNetwork(self._forward, self.normalised, self.device, GPU_BATCH)
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
        """Pixels: `min_side` for `images.decode`, which decodes JPEGs at the smallest scale that has as many.
        It is that of thumbnails where this is enough for the network, so that most pictures are decoded once.
        """
        if isinstance(self._transform, Transform):
            return max(THUMBNAIL_SIDE, self._transform.short_side)
        return max(THUMBNAIL_SIDE, math.ceil(self.input_size / USUAL_CROP))

    def preprocess(self, image: Image.Image, small: Image.Image | None = None) -> torch.Tensor:
        """(3, H, W) on the CPU: uint8 where `encode_tensor` is to normalise it, else float32, normalised.

        Args:
            image: of any size, as `images.as_rgb` returns it. Other modes than RGB go through that first.
            small: what `images.shrunk` made of `image` already; it saves time where the network takes the
                whole picture at this very size, and changes nothing.
        """
        seen = _middle(image if image.mode == "RGB" else as_rgb(image))
        if small is not None and isinstance(self._transform, Transform):
            seen = small if self._transform.makes(seen.size, small.size) else seen
        return self._transform(seen)

    def encode(self, images: Sequence[Picture]) -> np.ndarray:
        """(N, D) float32 for N pictures, in any of the forms that `images.as_rgb` takes.

        Raises:
            ImageError: a file that cannot be read or decoded (the message names it), no picture, or a single
                one in place of a list.
        """
        return self.encode_raw(images)[:, : self.dimension]

    def encode_raw(self, images: Sequence[Picture]) -> np.ndarray:
        """`encode` with the logits of a hash head, where there is one, after each embedding; on all cores."""
        import torch

        images = pictures_of(images, "encode")

        def embedded(part: Sequence[Picture]) -> np.ndarray:
            seen = [self.preprocess(as_rgb(image, min_side=self.decode_side)) for image in part]
            return self.encode_tensor(torch.stack(seen))

        step = BATCH if self.device.startswith("cuda") else self.batch_size
        parts = [images[start : start + step] for start in range(0, len(images), step)]
        width = self.dimension + (self.description.code_bits or 0)
        return np.concatenate([np.empty((0, width), np.float32), *on_all_cores(embedded, parts)])

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
        """The network alone: (N, 3, H, W), as `preprocess` gives it, on any device -> (N, dimension +
        code_bits) float32.

        Where there is a hash head, its logits follow the embedding; the signs are the code.
        """
        import torch

        step = self.batch_size
        if self._onnx is not None:
            parts = [
                self._onnx(self.normalised(part).contiguous().numpy()) for part in batch.cpu().split(step)
            ]
            return np.concatenate(parts)
        if self._gpu is not None:
            return self._gpu(batch)
        with torch.inference_mode():
            raw = [self._forward(self._on_device(part)).float().cpu() for part in batch.split(step)]
            return torch.cat(raw).numpy()

    def _on_device(self, batch: torch.Tensor) -> torch.Tensor:
        """As the network takes it."""
        import torch

        sent = batch.to(self.device, non_blocking=True)
        return self.normalised(sent).contiguous(memory_format=torch.channels_last)

    def normalised(self, batch: torch.Tensor) -> torch.Tensor:
        """What `preprocess` gives, in batches on any device -> float32, as in the network's training."""
        if isinstance(self._transform, Transform) and not batch.is_floating_point():
            return self._transform.normalised(batch)
        return batch

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
        """(N, 3, H, W), as `preprocess` gives it -> (N, h, w, D) float32: the embedding of each place.

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
                places: torch.Tensor = spatial(self._on_device(batch))
                return places.float().cpu().numpy()
        except (SimileError, RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
            raise SimileError(
                f"'{self.name}' cannot show which places of a picture matter: {first_line(error)}; "
                "choose another encoder"
            ) from None

    def _compiles(self) -> bool:
        """Compiling takes a minute and pays off in long jobs on a GPU, so it has to be asked for."""
        return self.device.startswith("cuda") and os.environ.get("SIMILE_COMPILE") == "1"

    def _precision(self) -> AbstractContextManager[Any]:
        """16-bit floats on a GPU; full precision elsewhere."""
        if self._gpu is None:
            return nullcontext()
        from pipeline.encoders.gpu import half_precision

        return half_precision(self.device)


def _middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    longest = MAX_ASPECT * min(image.size)
    if max(image.size) <= longest:
        return image
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
