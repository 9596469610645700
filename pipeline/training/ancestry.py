"""Whether the networks that a training builds on were trained on the images that it validates on."""

import re
from pathlib import Path

from pipeline.encoders.names import parse_name
from pipeline.sources import public_name
from pipeline.training.config import TrainingConfig

__all__ = ["kept_apart", "overlap"]

# As pipeline/training/card.py writes them.
_SHARE = re.compile(r"^## Validation \((\d+)\s?% of the training images", re.MULTILINE)
_SOURCE = re.compile(r"^- Data: `([^`]+)`", re.MULTILINE)


def kept_apart(encoder: str, source: str) -> float | None:
    """Share of the training images that a network of ours kept for validation, by its card.

    None: it is no network of ours, or was trained on another source.
    """
    name = parse_name(encoder)
    card = Path(name.place) / "README.md"
    if name.source != "folder" or not card.is_file():
        return None
    text = card.read_text(encoding="utf-8")
    share, data = _SHARE.search(text), _SOURCE.search(text)
    if not share or not data or data[1] != public_name(source):
        return None
    return int(share[1]) / 100


def overlap(config: TrainingConfig, source: str) -> str:
    """One sentence for the card where validation figures are flattered, else "".

    Validation images are those whose hash lies below the share (`validation_part`): of two shares the smaller
    one's images are all among the larger one's, so that equal shares are equal images.

    Args:
        source: the data's name, as cards show it.
    """
    own, sentences = config.data.validation, []
    for encoder in dict.fromkeys(name for name in (config.network.start, config.teacher) if name):
        share = kept_apart(encoder, source)
        if share is not None and share < own:
            sentences.append(
                f"These figures are flattered: `{public_name(encoder)}`, which this network builds on, kept "
                f"{share:.0%} of the training images apart, and was trained on {1 - share / own:.0%} of the "
                "images that they are measured on."
            )
    return " ".join(sentences)
