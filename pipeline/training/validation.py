"""How good a network is on images that were kept from it, after an epoch."""

import numpy as np
import torch

from pipeline.evaluation import average_precision, cosine_rankings, hamming_groups, precision_at
from pipeline.evaluation.metrics import TieGroups
from pipeline.networks import Embedder
from pipeline.training.augment import normalise
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images

__all__ = ["apply_network", "retrieval", "validate"]

_BATCH = 250


def apply_network(
    network: Embedder, pixels: np.ndarray, config: TrainingConfig, device: torch.device
) -> tuple[np.ndarray, np.ndarray | None, dict[str, np.ndarray]]:
    """(N, side, side, 3) uint8 -> embedding, hash logits or None, and classes named for each column."""
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            images = torch.from_numpy(pixels[start : start + _BATCH]).to(device)
            found.append(network(normalise(images, config.network.mean, config.network.std)))
    embedding = torch.cat([f.embedding for f in found]).float().cpu().numpy()
    code = (
        torch.cat([f.code for f in found if f.code is not None]).float().cpu().numpy()
        if found[0].code is not None
        else None
    )
    classes = {c: torch.cat([f.classes[c].argmax(1) for f in found]).cpu().numpy() for c in found[0].classes}
    return embedding, code, classes


def validate(
    network: Embedder, images: Images, config: TrainingConfig, device: torch.device
) -> dict[str, float]:
    """Leave-one-out over the validation images, with the first label: P@1, mAP and accuracy."""
    embedding, code, classes = apply_network(network, images.pixels, config, device)
    labels = images.labels[:, 0]
    result = {
        f"accuracy_{c}": float((classes[c] == images.labels[:, i]).mean())
        for i, c in enumerate(config.data.labels)
        if c in classes
    }
    own = np.arange(len(labels))
    blocks = list(cosine_rankings(embedding, embedding, labels, labels, own))
    result |= retrieval(blocks, "cosine")
    if code is not None:
        signs = np.where(code > 0, 1, -1)
        result |= retrieval([hamming_groups(signs, signs, labels, labels, own)], "hamming")
    return result


def retrieval(blocks: list[TieGroups], metric: str) -> dict[str, float]:
    """P@1 and mAP, expected over the order of ties."""
    first = np.concatenate([precision_at(block, 1) for block in blocks])
    average = np.concatenate([average_precision(block) for block in blocks])
    return {f"p1_{metric}": float(np.nanmean(first)), f"map_{metric}": float(np.nanmean(average))}
