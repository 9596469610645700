"""Where a collection's pictures come from, in words."""

from pathlib import Path

from pipeline.search import Collection
from pipeline.sources import public_name

__all__ = ["source_words"]

_SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def source_words(found: Collection) -> str:
    """A Hub id or the name of a folder; bundled samples are named as such."""
    source = found.manifest.source
    bundled = source and Path(source).resolve().parent == _SAMPLES
    return f"the bundled samples of {found.title}" if bundled else public_name(source)
