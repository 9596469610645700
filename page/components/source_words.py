"""Where a collection's pictures come from, in words, and where that can be looked at."""

import re
from pathlib import Path

from pipeline.search import Collection
from pipeline.sources import public_name

__all__ = ["source_address", "source_words"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def source_words(found: Collection) -> str:
    """A Hub id or the name of a folder; bundled samples are named as such."""
    source = found.manifest.source
    bundled = source and Path(source).resolve().parent == _SAMPLES
    return f"the bundled samples of {found.title}" if bundled else public_name(source)


def source_address(found: Collection) -> str | None:
    """The page of a data set on the Hugging Face Hub; None for other sources."""
    source = found.manifest.source.removeprefix("hf://datasets/")
    is_id = _HUB_ID.fullmatch(source) and not Path(found.manifest.source).exists()
    return f"https://huggingface.co/datasets/{source}" if is_id else None
