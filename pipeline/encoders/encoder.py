"""One class for every family: a network, its preprocessing, and what makes its vectors comparable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pipeline.errors import ImageError, SimileError
from pipeline.images import decode

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Encoder", "EncoderDescription", "check_patches", "input_size_error"]

# Resizing the short side of a 1 × 50,000 image to 256 px would make 3.3 gigapixels. Longer images than this
# are cut to their middle first.
MAX_ASPECT = 20
BATCH = 32  # images held in memory at once
CPU_BATCH = 8  # larger ones leave the cache: lite0 at 224 px runs 2 to 3 times slower with 128 than with 8


@dataclass(frozen=True)
class EncoderDescription:
    """Everything about an encoder but its weights. Equal fingerprints: vectors may be compared."""

    name: str  # as it was asked for
    family: str  # library and architecture: "timm:vgg16", "transformers:dinov2"
    dimension: int | None  # None: known only once it is loaded
    revision: str  # changes with the weights: Hub commit, or sha256 of the files
    preprocessing: dict[str, Any]  # as JSON holds it: size, crop, interpolation, mean, std
    embedding: str  # which vector of the network this is
    licence: str | None = None  # of the weights, where their card says so
    code_bits: int | None = None  # hash logits that follow the embedding in the raw output

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
    ) -> None:
        """Move `network` ((N, 3, H, W) -> (N, D)) to `device`, and pass one grey image through it.

        Raises:
            SimileError: no such device, or the network does not take images of this size.
        """
        import torch

        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._transform = transform
        try:
            # channels_last: convolutions 1.1 to 1.6 times faster on a CPU, transformers as fast as before
            self._network = network.eval().requires_grad_(False).to(self.device)
            self._network.to(memory_format=torch.channels_last)
        except (RuntimeError, AssertionError) as error:
            raise SimileError(f"device '{self.device}' cannot be used: {_first_line(error)}") from None
        probe = self.preprocess(Image.new("RGB", (64, 64), "grey"))
        self.input_size = max(probe.shape[1:])  # pixels
        try:
            width = self.encode_tensor(probe[None]).shape[1]
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            raise input_size_error(description.name, self.input_size, error) from None
        self.dimension = width - (description.code_bits or 0)
        self.description = replace(description, dimension=self.dimension)

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
    def decode_side(self) -> int:
        """Pixels: `min_side` for `images.decode`. Twice the input: coarse steps leave next to no trace."""
        return 2 * self.input_size

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """(3, H, W) float32 on the CPU, as this network was trained to see it. Any size and mode."""
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        return self._transform(_middle(rgb))

    def encode(self, images: Sequence[Image.Image | str | Path]) -> np.ndarray:
        """(N, D) float32 for N images or paths of image files.

        Raises:
            ImageError: a file that cannot be read or decoded; the message names it.
        """
        import torch

        vectors = [np.empty((0, self.dimension), np.float32)]
        for start in range(0, len(images), BATCH):
            batch = [self.preprocess(self._opened(image)) for image in images[start : start + BATCH]]
            vectors.append(self.encode_tensor(torch.stack(batch))[:, : self.dimension])
        return np.concatenate(vectors)

    def encode_tensor(self, batch: torch.Tensor) -> np.ndarray:
        """The network alone: (N, 3, H, W) float32 on any device -> (N, dimension + code_bits) float32.

        Where there is a hash head, its logits follow the embedding; the signs are the code.
        """
        import torch

        with torch.inference_mode(), self._precision():
            batch = batch.to(self.device, memory_format=torch.channels_last, non_blocking=True)
            parts = batch.split(len(batch) if self.device.startswith("cuda") else CPU_BATCH)
            return torch.cat([self._network(part).float().cpu() for part in parts]).numpy()

    def spatial(self, batch: torch.Tensor) -> np.ndarray:
        """(N, 3, H, W) float32 on any device -> (N, h, w, D) float32: the embedding, place by place.

        Where the network pools places by a mean (or by GeM, whose shares are handed to the places), the mean
        over h × w is the embedding itself. Of a ViT it is what the head makes of each patch token alone.

        Raises:
            SimileError: a network whose places cannot be told apart in its embedding.
        """
        import torch

        spatial = getattr(self._network, "spatial", None)
        try:
            if spatial is None:
                raise TypeError("it does not say which layer holds them")
            with torch.inference_mode(), self._precision():
                batch = batch.to(self.device, memory_format=torch.channels_last)
                return spatial(batch).float().cpu().numpy()
        except (SimileError, RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
            raise SimileError(
                f"'{self.name}' cannot show which places of a picture matter: {_first_line(error)}; "
                "choose another encoder"
            ) from None

    def _precision(self) -> AbstractContextManager:
        """16-bit floats on a GPU, where they are several times faster; full precision elsewhere."""
        import torch

        if not self.device.startswith("cuda"):
            return nullcontext()
        # bfloat16 has the range of float32: large activations of ViTs overflow in float16
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", kind)

    def _opened(self, image: Image.Image | str | Path) -> Image.Image:
        if isinstance(image, Image.Image):
            return image
        try:
            return decode(Path(image).read_bytes(), min_side=self.decode_side)
        except OSError as error:
            raise ImageError(f"'{image}' cannot be read: {error.strerror}") from None
        except ImageError as error:
            raise ImageError(f"'{image}': {error}") from None


def input_size_error(name: str, pixels: int, error: Exception | str) -> SimileError:
    """The network of `name` refused images of this size."""
    return SimileError(
        f"'{name}' does not take images of {pixels} × {pixels} px: {_first_line(error)}; "
        "choose another '@<N>px', or leave it out"
    )


def check_patches(name: str, pixels: int | None, patch: int | Sequence[int] | None) -> None:
    """Most networks of patches leave out, without a word, what remains at the right and bottom edge.

    Raises:
        SimileError: `pixels` were asked for and are not a multiple of the patch.
    """
    side = patch[0] if isinstance(patch, Sequence) else patch
    if pixels and side and pixels % side:
        raise input_size_error(name, pixels, f"it needs a multiple of {side} px, the size of its patches")


def _first_line(error: Exception | str) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    longest = MAX_ASPECT * min(image.size)
    if max(image.size) <= longest:
        return image
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
