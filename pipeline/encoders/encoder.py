"""One class for every family: a network, its preprocessing, and what makes its vectors comparable."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from PIL import Image

from pipeline.encoders import onnx_export
from pipeline.encoders.all_cores import on_all_cores
from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.input_size import first_line, input_size_error
from pipeline.encoders.onnx_network import OnnxNetwork
from pipeline.encoders.preprocessing import Transform
from pipeline.encoders.shared_batches import SharedBatches
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, Picture, as_rgb
from pipeline.images.several import pictures_of
from pipeline.installation import default_device, has_torch

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pipeline.encoders.torch_network import TorchNetwork

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
FAST_RESIZING_PAYS = 4_000  # images; torch's kernel saves 1.2 ms of each, and importing it takes two seconds
EXPORT_PAYS = 20.0  # CPU seconds of torch above which the export (about 5 s, once) saves time


class Encoder:
    """Images -> (N, D) float32, the network's own output, not normalised.

    The same images give the same vectors; `preprocess` may run in many threads at once.
    """

    def __init__(
        self,
        description: EncoderDescription,
        network: nn.Module | OnnxNetwork,
        transform: Callable[[Image.Image], torch.Tensor] | Transform,
        *,
        device: str | None = None,
        runtime: Runtime | None = None,
        load_text: Callable[[], Callable[[Sequence[str]], np.ndarray]] | None = None,
        load_again: Callable[[], Encoder] | None = None,
    ) -> None:
        """Move `network` ((N, 3, H, W) -> (N, D)) to `device`, and pass one grey image through it.

        Args:
            network: of torch; or one of ONNX Runtime, which stays on the CPU and does without torch.
            runtime: what runs a network of torch on a CPU; None: ONNX Runtime if the cache has a faster
                export.
            load_text: makes the text half, when words are first asked for.
            load_again: loads the same encoder where a pickle of this one is read.

        Raises:
            SimileError: no such device, or the network does not take images of this size.
        """
        self._transform = transform
        self._load_text = load_text
        self._load_again = load_again
        self._text: Callable[[Sequence[str]], np.ndarray] | None = None
        self._onnx: OnnxNetwork | None = None
        self._torch: TorchNetwork | None = None
        self._shared = SharedBatches(self.encode_tensor, BATCH)
        probe = self.preprocess(Image.new("RGB", (64, 64), "grey"))
        self.input_size: int = max(probe.shape[1:])  # pixels
        if isinstance(network, OnnxNetwork):
            self.device, self._onnx = "cpu", network
        else:
            from pipeline.encoders.torch_network import TorchNetwork

            self.device = device or default_device()
            self._torch = TorchNetwork(network, self.device, self.normalised, self.batch_size)
        try:
            width = self.encode_tensor(probe[None]).shape[1]
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            raise input_size_error(description.name, self.input_size, error) from None
        self.dimension = width - (description.code_bits or 0)
        self.description = replace(description, dimension=self.dimension)
        if self._onnx is None and self.device == "cpu" and runtime is None:
            self._onnx = onnx_export.find(self.fingerprint)
        if self._onnx is None and runtime == "onnxruntime":
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
        """On its device, for evaluation only; images -> raw output.

        Raises:
            SimileError: it came as an ONNX file.
        """
        if self._torch is None:
            raise SimileError(f"'{self.name}' runs without torch; load it with runtime='torch'")
        return self._torch.module

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

    def preprocess(self, image: Image.Image, small: Image.Image | None = None) -> np.ndarray:
        """(3, H, W): uint8 where `encode_tensor` is to normalise it, else float32, normalised.

        Args:
            image: of any size, as `images.as_rgb` returns it. Other modes than RGB go through that first.
            small: what `images.shrunk` made of `image` already; it saves time where the network takes the
                whole picture at this very size, and changes nothing.
        """
        seen = _middle(image if image.mode == "RGB" else as_rgb(image))
        if small is not None and isinstance(self._transform, Transform):
            seen = small if self._transform.makes(seen.size, small.size) else seen
        return np.asarray(self._transform(seen))

    def _seen(self, image: Picture) -> np.ndarray:
        return self.preprocess(as_rgb(image, min_side=self.decode_side))

    def encode(self, images: Sequence[Picture]) -> np.ndarray:
        """(N, D) float32 for N pictures, in any of the forms that `images.as_rgb` takes.

        Raises:
            ImageError: a file that cannot be read or decoded (the message names it), no picture, or a single
                one in place of a list.
        """
        return self.encode_raw(images)[:, : self.dimension]

    def encode_raw(self, images: Sequence[Picture]) -> np.ndarray:
        """`encode` with the logits of a hash head, where there is one, after each embedding; on all cores.

        A single picture shares a batch with those that other threads bring meanwhile.
        """
        images = pictures_of(images, "encode")
        if len(images) == 1:
            return self._shared(self._seen(images[0]))[None]

        def embedded(part: Sequence[Picture]) -> np.ndarray:
            return self.encode_tensor(np.stack([self._seen(image) for image in part]))

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
                f"'{self.name}' does not understand words; choose a CLIP or SigLIP of transformers, such as "
                "'hf:openai/clip-vit-base-patch32'"
            )
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        if self._text is None:
            with LOADING:
                self._text = self._text or self._load_text()
        return self._text(texts)

    def encode_tensor(self, batch: np.ndarray | torch.Tensor) -> np.ndarray:
        """The network alone: (N, 3, H, W), as `preprocess` gives it, or a tensor of the same on any device ->
        (N, dimension + code_bits) float32.

        Where there is a hash head, its logits follow the embedding; the signs are the code.
        """
        if self._onnx is None:
            assert self._torch is not None
            return self._torch(_tensor(batch))
        images, step = _array(batch), self.batch_size
        parts = [images[start : start + step] for start in range(0, len(images), step)]
        return np.concatenate([self._onnx(self.normalised(part)) for part in parts])

    @overload
    def normalised(self, batch: np.ndarray) -> np.ndarray: ...

    @overload
    def normalised(self, batch: torch.Tensor) -> torch.Tensor: ...

    def normalised(self, batch: Any) -> Any:
        """What `preprocess` gives, in batches on any device -> float32, as in the network's training."""
        return self._transform.normalised(batch) if isinstance(self._transform, Transform) else batch

    def accelerate(self, images: int) -> None:
        """Use ONNX Runtime from now on if it is faster; the first time, this exports the network.

        A network that runs without torch may get torch's faster resizing.

        Args:
            images: how many are to come. For a few seconds of work nothing is exported, nor torch loaded.
        """
        if self._torch is None and images > FAST_RESIZING_PAYS and has_torch():
            import torch  # noqa: F401  # `images.resized` uses it where it is loaded
        if self.device != "cpu" or self._onnx is not None:
            return
        start = time.process_time()  # CPU time, which other programs on this machine do not change
        self.encode_tensor(np.zeros((1, 3, self.input_size, self.input_size), np.float32))
        if images * (time.process_time() - start) > EXPORT_PAYS:
            self._onnx = self._exported()

    def _exported(self, even_if_slower: bool = False) -> OnnxNetwork | None:
        import torch

        example = torch.empty(2, 3, self.input_size, self.input_size)
        example.normal_(generator=torch.Generator().manual_seed(0))
        return onnx_export.export(self.fingerprint, self.network, example, even_if_slower=even_if_slower)

    def spatial(self, batch: np.ndarray | torch.Tensor) -> np.ndarray:
        """(N, 3, H, W), as `preprocess` gives it -> (N, h, w, D) float32: the embedding of each place.

        Where the network pools places by a mean or by GeM, the mean over h × w is the embedding itself. For a
        ViT it is the head's output for each patch token alone.

        Raises:
            SimileError: the network's embedding cannot be split into places.
        """
        try:
            if self._torch is not None:
                return self._torch.spatial(_tensor(batch))
            assert self._onnx is not None
            return self._onnx.spatial(self.normalised(_array(batch)))
        except (SimileError, RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
            raise SimileError(
                f"'{self.name}' cannot show which places of a picture matter: {first_line(error)}; "
                "choose another encoder"
            ) from None


def _tensor(batch: np.ndarray | torch.Tensor) -> torch.Tensor:
    import torch

    return torch.from_numpy(batch) if isinstance(batch, np.ndarray) else batch


def _array(batch: np.ndarray | torch.Tensor) -> np.ndarray:
    return batch if isinstance(batch, np.ndarray) else batch.cpu().numpy()


def _middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    longest = MAX_ASPECT * min(image.size)
    if max(image.size) <= longest:
        return image
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
