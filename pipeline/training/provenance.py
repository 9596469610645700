"""What a network was trained on and begun from: kept in its config.json, and asked by what builds on it.

A network that begins from another one, or imitates a teacher, has seen their training images too. Under a
protocol it must not have seen the queries, and its validation images should be new to all of them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.encoders.checkpoint import PROVENANCE, SIMILE
from pipeline.encoders.names import parse_name
from pipeline.errors import SimileError
from pipeline.sources import public_name
from pipeline.training.config import TrainingConfig

__all__ = ["Provenance", "check_protocol", "kept_apart", "overlap", "provenance_of"]

_SAME_TRAINING_IMAGES = {"a", "b"}  # these two protocols differ in what is searched


@dataclass(frozen=True)
class Provenance:
    """The fields of `provenance` in a network's config.json.

    Attributes:
        source: of the training images, as `public_name` gives it.
        split: of the source.
        protocol: `data.protocol` of the configuration, whose queries were not trained on.
        validation: share of the training images that was kept apart, by content hash.
        start: the encoder that training began from, or None.
        teacher: the encoder that was imitated, or None.
    """

    source: str
    split: str
    protocol: str
    validation: float
    start: str | None
    teacher: str | None

    @classmethod
    def of(cls, config: TrainingConfig, source: str) -> Self:
        """That of a network trained by `config`.

        Args:
            source: name of the data; it may differ from the folder that was read.
        """
        start, teacher = (name and public_name(name) for name in (config.network.start, config.teacher))
        data = config.data
        return cls(public_name(source), data.split, data.protocol, data.validation, start, teacher)

    def as_json(self) -> dict[str, Any]:
        """For config.json."""
        return asdict(self)


def provenance_of(encoder: str) -> Provenance | None:
    """What an encoder was trained on; None if ray_jobs/train.py did not write it.

    Raises:
        SimileError: there is no such encoder, or ray_jobs/train.py wrote it before it noted this.
    """
    name = parse_name(encoder)
    if name.source != "folder":
        return None
    file = Path(name.place) / "config.json"
    config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if config.get("model_type") != SIMILE:
        return None
    try:
        return Provenance(**config[PROVENANCE])
    except (KeyError, TypeError):
        raise SimileError(
            f"the config.json of '{encoder}' does not say what it was trained on (`{PROVENANCE}`); train it "
            "again"
        ) from None


def kept_apart(encoder: str, source: str) -> float | None:
    """Share of the training images that a network kept for validation.

    None: it was not trained by ray_jobs/train.py, or on another source.
    """
    known = provenance_of(encoder)
    return known.validation if known and known.source == public_name(source) else None


def check_protocol(config: TrainingConfig, source: str) -> None:
    """Refuse to build on a network that was trained on the protocol's queries.

    Args:
        source: name of the data.

    Raises:
        SimileError: `network.start` or the teacher was trained on the same data without the protocol.
    """
    protocol = config.data.protocol
    if protocol == "none":
        return
    for encoder in _ancestors(config):
        known = provenance_of(encoder)
        if known is None or known.source != public_name(source):
            continue
        if known.protocol != protocol and not {known.protocol, protocol} <= _SAME_TRAINING_IMAGES:
            raise SimileError(
                f"'{encoder}' was trained on '{known.source}' without protocol '{protocol}': it has seen its "
                "queries, and what is built on it has too; train that network under the protocol first and "
                "name its folder, or take a configuration without `start` and `teacher`"
            )


def overlap(config: TrainingConfig, source: str) -> str:
    """A sentence for the card where the validation figures are too good, else "".

    Validation images are those whose hash lies below the share (`validation_part`): the images of a smaller
    share are all among those of a larger one, and equal shares are equal images.

    Args:
        source: name of the data.
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


def _ancestors(config: TrainingConfig) -> list[str]:
    return list(dict.fromkeys(name for name in (config.network.start, config.teacher) if name))
