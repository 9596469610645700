"""What the networks that a training builds on were trained on: validation images, or queries."""

import re
from pathlib import Path

from pipeline.encoders.names import parse_name
from pipeline.errors import SimileError
from pipeline.sources import public_name
from pipeline.training.card import PROTOCOLS
from pipeline.training.config import TrainingConfig

__all__ = ["check_protocol", "kept_apart", "overlap"]

# As pipeline/training/card.py writes them.
_SHARE = re.compile(r"^## Validation \((\d+)\s?% of the training images", re.MULTILINE)
_DATA = re.compile(r"^- Data: `([^`]+)`, split `[^`]+`, ([^;]+);", re.MULTILINE)


def kept_apart(encoder: str, source: str) -> float | None:
    """Share of the training images that a network of ours kept for validation, by its card.

    None: it is no network of ours, or was trained on another source.
    """
    text = _card(encoder)
    share, data = _SHARE.search(text), _DATA.search(text)
    if not share or not data or data[1] != public_name(source):
        return None
    return int(share[1]) / 100


def check_protocol(config: TrainingConfig, source: str) -> None:
    """Refuse a protocol whose queries a network that is built on was trained on.

    Raises:
        SimileError: the card of `network.start` or of the teacher names the same data without the protocol.
    """
    wanted = PROTOCOLS[config.data.protocol]
    for encoder in _ancestors(config):
        data = _DATA.search(_card(encoder))
        if data and data[1] == public_name(source) and wanted.strip() not in data[2]:
            raise SimileError(
                f"'{encoder}' was trained on '{data[1]}' without protocol '{config.data.protocol}': it has "
                "seen its queries, and what is built on it has too; train that network under the protocol "
                "first and name its folder, or take a configuration that begins from nothing"
            )


def _ancestors(config: TrainingConfig) -> list[str]:
    return list(dict.fromkeys(name for name in (config.network.start, config.teacher) if name))


def _card(encoder: str) -> str:
    """README.md of a network in a folder; "" for all others."""
    name = parse_name(encoder)
    card = Path(name.place) / "README.md"
    return card.read_text(encoding="utf-8") if name.source == "folder" and card.is_file() else ""


def overlap(config: TrainingConfig, source: str) -> str:
    """One sentence for the card where validation figures are flattered, else "".

    Validation images are those whose hash lies below the share (`validation_part`): of two shares the smaller
    one's images are all among the larger one's, so that equal shares are equal images.

    Args:
        source: the data's name, as cards show it.
    """
    own, sentences = config.data.validation, []
    for encoder in _ancestors(config):
        share = kept_apart(encoder, source)
        if share is not None and share < own:
            sentences.append(
                f"These figures are flattered: `{public_name(encoder)}`, which this network builds on, kept "
                f"{share:.0%} of the training images apart, and was trained on {1 - share / own:.0%} of the "
                "images that they are measured on."
            )
    return " ".join(sentences)
