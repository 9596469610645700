"""The grammar of encoder names; `pipeline.encoders` says what each form means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.encoders.precomputed import is_precomputed, no_network
from pipeline.errors import SimileError

__all__ = ["SIZE_RANGE", "SOURCES", "WEIGHTS_ROOT", "EncoderName", "anywhere", "parse_name"]

WEIGHTS_ROOT = Path(__file__).parents[2] / "weights"  # small networks that come with the repository
SOURCES = ("pypi", "timm", "hf", "weights")
SIZE_RANGE = (16, 2048)  # pixels; other sizes are taken for typing errors


@dataclass(frozen=True)
class EncoderName:
    """A name taken apart."""

    text: str  # as it was asked for
    source: Literal["pypi", "timm", "hf", "folder"]
    place: str  # absolute folder, Hub id, or the name within `source`
    pixels: int | None = None  # input size asked for with `@<N>px`
    revision: str | None = None  # of a Hub id


def parse_name(text: str) -> EncoderName:
    """Take a name apart; nothing is looked up but whether a folder exists.

    Raises:
        SimileError: not of any form; or a folder, also one of `weights:`, that does not exist; or vectors
            that were made elsewhere, which no network belongs to.
    """
    if is_precomputed(text):
        raise SimileError(no_network(text))
    bare, pixels = _split_size(text)
    source, colon, place = bare.partition(":")
    if not colon or source not in SOURCES:
        return EncoderName(text, "folder", _folder(text, bare), pixels)
    if not place:
        raise SimileError(f"'{text}' names no encoder after '{source}:'; for example 'timm:resnet50.a1_in1k'")
    if source == "weights":
        return EncoderName(text, "folder", _bundled(place), pixels)
    if source == "timm" and (place.startswith((".", "/", "~")) or Path(place).is_dir()):
        return EncoderName(text, "folder", _folder(text, place), pixels)
    if source == "hf":
        place, _, revision = place.partition("@")
        return EncoderName(text, "hf", place, pixels, revision or None)
    return EncoderName(text, "pypi" if source == "pypi" else "timm", place, pixels)


def anywhere(name: EncoderName) -> str:
    """The name as it can be read in any working folder: folders are absolute."""
    if name.source != "folder" or name.text.startswith("weights:"):
        return name.text
    return name.place + (f"@{name.pixels}px" if name.pixels else "")


def _split_size(text: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(.*)@(\d+)px", text, re.DOTALL)
    if not match:
        return text, None
    pixels = int(match[2])
    if not SIZE_RANGE[0] <= pixels <= SIZE_RANGE[1]:
        raise SimileError(
            f"'{text}' asks for images of {pixels} px; expected {SIZE_RANGE[0]} to {SIZE_RANGE[1]}"
        )
    return match[1], pixels


def _folder(text: str, place: str) -> str:
    path = Path(place).expanduser().absolute()  # absolute at once: a job may run elsewhere
    if path.is_dir():
        return str(path)
    if path.exists():
        raise SimileError(f"'{text}' is a file; name the folder that holds config.json and the weights")
    if place.startswith((".", "/", "~")):
        raise SimileError(f"there is no folder '{path}'; expected one with config.json and model.safetensors")
    mend = (
        f"'hf:{place}' if you mean the Hub" if re.fullmatch(r"[\w.-]+/[\w.-]+", place) else f"'timm:{place}'"
    )
    raise SimileError(
        f"'{text}' is no encoder: expected pypi:NAME, timm:NAME, hf:ORG/NAME, weights:NAME or a folder that "
        f"exists (perhaps {mend})"
    )


def _bundled(place: str) -> str:
    found = sorted(config.parent.name for config in WEIGHTS_ROOT.glob("*/config.json"))
    if place in found:
        return str(WEIGHTS_ROOT / place)
    there = f"there are: {', '.join(found)}" if found else "there are none yet; ray_jobs/train.py makes them"
    raise SimileError(f"weights:{place} is not in {WEIGHTS_ROOT}; {there}")
