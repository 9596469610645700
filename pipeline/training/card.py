"""The README.md beside a network: what it was trained on, by which command, and how it did."""

import json
from collections.abc import Sequence

from pipeline.sources import public_name
from pipeline.training.config import TrainingConfig
from pipeline.training.history import EpochRecord

__all__ = ["MEASURED", "licence_to_show", "of_before", "write_card"]

MEASURED = "## Retrieval"  # what follows it was added after measuring, and is kept when a card is rewritten
_NOT_MEASURED = "Not measured yet: `python -m ray_jobs.evaluate`."
_OF_BEFORE = (
    "\n\nThese figures are of the weights before this training; measure again: `python -m ray_jobs.evaluate`."
)
_FIGURES = {
    "accuracy": "accuracy of the classifier",
    "p1_cosine": "P@1, cosine",
    "map_cosine": "mAP, cosine",
    "p1_hamming": "P@1, Hamming distance of codes (expected over ties)",
    "map_hamming": "mAP, Hamming distance of codes (expected over ties)",
}
_DERIVED = ("recipe", "features")  # options that follow from the network that training begins from
_PROTOCOLS = {  # what the protocol leaves out of training, or keeps
    "none": "",
    "art": " without the queries and artists of the art split",
    "a": " for training of protocols A and B",
    "b": " for training of protocols A and B",
}
# Said because the names end in "vit": these networks are not transformers from the pixels on.
_HYBRIDS = {
    "hybrid-vit": "A hybrid of both kinds: the first stages of a CNN, and transformer blocks that read "
    "its last map.",
    "style-vit": "A hybrid of both kinds: the first stages of a CNN, and transformer blocks that read "
    "its last map. The embedding has the mean of the tokens and statistics of the stages' own maps.",
}
_STARTS = {
    "discriminant": "; the embedding began as a linear discriminant of the first label",
    "teacher": "; the embedding began as a linear imitation of the teacher's",
}


def write_card(
    config: TrainingConfig,
    history: Sequence[EpochRecord],
    command: str,
    *,
    source: str | None = None,
    licence: str | None = None,
    kept: str = "",
    caution: str = "",
) -> str:
    """Markdown with the front matter of a model card.

    Args:
        history: a record for each epoch, at least one.
        command: that repeats the run.
        source: name of the data to show; None: what was read.
        licence: of the data; None where it states none.
        kept: everything from MEASURED on of an earlier card.
        caution: what has to be said of the validation figures.
    """
    seconds = sum(record.seconds for record in history)
    shown_source = public_name(source or config.data.source)
    lines = [
        "---",
        f"license: {json.dumps(licence or 'unknown')}",
        "---",
        f"# {config.name}",
        "",
        f"`{config.network.backbone}` {_options(config)}; {_output(config)}.",
        *([_HYBRIDS[config.network.backbone]] if config.network.backbone in _HYBRIDS else []),
        "",
        f"- Data: `{shown_source}`, split `{config.data.split}`, {_part(config)}; its licence: "
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
    lines += [f"| {_label(key)} | {value:.4f} |" for key, value in history[-1].figures.items() if _label(key)]
    lines += ["", caution] if caution else []
    measured = kept or f"{MEASURED}\n\n{_NOT_MEASURED}\n"
    return "\n".join(lines) + "\n\n" + measured


def of_before(card: str) -> str:
    """What an earlier card says of measured retrieval, and that it was of other weights; or nothing."""
    measured = card[card.index(MEASURED) :].removeprefix(MEASURED).removeprefix(_OF_BEFORE).lstrip("\n")
    return "" if measured.startswith(_NOT_MEASURED) else f"{MEASURED}{_OF_BEFORE}\n\n{measured}"


def licence_to_show(stated: str | None, configured: str | None) -> str | None:
    """The licence that the data states, unless that is "unknown"; else the configuration's, if it has one."""
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
    art = _PROTOCOLS[config.data.protocol]
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
