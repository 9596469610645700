"""The README.md beside a network: what it was trained on, by which command, and how it did."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.encoders.names import parse_name
from pipeline.errors import SimileError
from pipeline.sources import public_name
from pipeline.training.config import TrainingConfig

__all__ = [
    "MEASURED",
    "PROTOCOLS",
    "check_protocol",
    "kept_apart",
    "licence_to_show",
    "overlap",
    "write_card",
]

MEASURED = "## Retrieval"  # what follows it was added after measuring, and is kept when a card is rewritten
_FIGURES = {
    "accuracy": "accuracy of the classifier",
    "p1_cosine": "P@1, cosine",
    "map_cosine": "mAP, cosine",
    "p1_hamming": "P@1, Hamming distance of codes (expected over ties)",
    "map_hamming": "mAP, Hamming distance of codes (expected over ties)",
}
_DERIVED = ("recipe", "features")  # of the network that training begins from, which is named
PROTOCOLS = {  # which images were trained on
    "none": "",
    "art": " without the queries and artists of the art split",
    "a": " for training of protocols A and B",
    "b": " for training of protocols A and B",
}
# What a name such as "vit" would hide: these are no transformers from the pixels on.
_HYBRIDS = {
    "hybrid-vit": "A hybrid of both kinds: the first stages of a CNN, whose map transformer blocks read.",
    "style-vit": "A hybrid of both kinds: the first stages of a CNN, whose last map transformer blocks read; "
    "beside the mean of their tokens stand means and deviations of the stages' own maps.",
}
_STARTS = {
    "discriminant": "; the embedding began as a linear discriminant of the first label",
    "teacher": "; the embedding began as a linear imitation of the teacher's",
}


def write_card(
    config: TrainingConfig,
    history: Sequence[Mapping[str, Any]],
    command: str,
    data: Mapping[str, Any],
    kept: str = "",
    caution: str = "",
) -> str:
    """Markdown with the front matter of a model card.

    Args:
        history: a record an epoch, as `pipeline.training.loop` makes them.
        command: that repeats the run.
        data: `licence` and `revision` of the source, None where it states none; `source`: its name to show
            in place of the folder of this machine that was read.
        kept: everything from MEASURED on of an earlier card.
        caution: what has to be said of the validation figures.
    """
    seconds = sum(record["seconds"] for record in history)
    licence = data.get("licence")
    source = public_name(data.get("source") or config.data.source)
    lines = [
        "---",
        f"license: {json.dumps(licence or 'unknown')}",
        "---",
        f"# {config.name}",
        "",
        f"`{config.network.backbone}` {_options(config)}; {_output(config)}.",
        *([_HYBRIDS[config.network.backbone]] if config.network.backbone in _HYBRIDS else []),
        "",
        f"- Data: `{source}`, split `{config.data.split}`, {_part(config)}; its licence: "
        f"{licence or 'none stated by this copy of it'}. The weights are for what that licence allows.",
        f"- Command: `{command}`",
        f"- {len(history)} of {config.epochs} epochs, {_time(seconds)}, "
        f"{config.workers} workers of {config.threads} threads, {config.precision}.",
        f"- Losses: {'; '.join(_loss(config))}.",
        "",
        f"## Validation ({config.data.validation:.0%} of the training images, by content hash; "
        "leave-one-out over them; before rounding to float16, without mirror images)",
        "",
        "| figure | after the last epoch |",
        "| --- | --- |",
    ]
    lines += [f"| {_label(key)} | {value:.4f} |" for key, value in history[-1].items() if _label(key)]
    lines += ["", caution] if caution else []
    return (
        "\n".join(lines)
        + "\n\n"
        + (kept or f"{MEASURED}\n\nNot measured yet: `python -m ray_jobs.evaluate`.\n")
    )


def licence_to_show(stated: str | None, configured: str | None) -> str | None:
    """The data's own; the configuration's where the data states none, or "unknown", which tells less."""
    return (None if stated == "unknown" else stated) or configured or stated


def _time(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _options(config: TrainingConfig) -> str:
    found = ", ".join(
        f"{key} {value}" for key, value in config.network.options.items() if key not in _DERIVED
    )
    start = f", begun from `{public_name(config.network.start)}`" if config.network.start else ""
    embedding = _STARTS.get(config.network.start_embedding, "")
    return f"({found}{start}{', frozen' if config.network.frozen else ''}{embedding})"


def _output(config: TrainingConfig) -> str:
    bits = (
        f" and {config.network.code_bits} hash logits, whose signs are the code"
        if config.network.code_bits
        else ""
    )
    wide = f"{config.network.dimension} numbers" if config.network.dimension else "the pooled features"
    mirrored = ", means over the image and its mirror image" if config.network.mirror else ""
    return f"embedding: {wide}{bits}{mirrored}; images of {config.data.pixels} × {config.data.pixels} px"


def _part(config: TrainingConfig) -> str:
    classes = f" of classes {config.data.classes}" if config.data.classes is not None else ""
    art = PROTOCOLS[config.data.protocol]
    rows = f" of the first {config.data.limit} rows" if config.data.limit else ""
    return f"images{classes}{rows}{art}"


def _loss(config: TrainingConfig) -> list[str]:
    found = []
    for term in config.losses:
        options = ", ".join(f"{key} {value}" for key, value in term.options.items())
        column = f" on {term.column}" if term.column else ""
        of = f" of `{config.teacher}`" if term.kind == "teacher" else ""
        found.append(f"{term.weight:g} × {term.kind}{of}{column}{f' ({options})' if options else ''}")
    return found


def _label(key: str) -> str | None:
    if key.startswith("accuracy_"):
        return f"{_FIGURES['accuracy']}, {key.removeprefix('accuracy_')}"
    return _FIGURES.get(key)


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
