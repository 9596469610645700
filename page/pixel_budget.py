"""What visitors' pictures may cost in memory, whichever way they come in: by the page, its API or MCP."""

from collections.abc import Sequence

from pipeline.errors import SimileError
from pipeline.images import DecodeLimits, PixelBudget
from pipeline.search import Example

__all__ = ["AT_ONCE", "MOST_OWN", "VISITORS", "check_own_pictures"]

MOST_OWN = 8  # pictures that one search decodes
_MAX_PIXELS = 25_000_000  # of one picture as it is decoded; a JPEG of 48 megapixels is at half its scale
AT_ONCE = 60_000_000  # pixels of all pictures in memory; at most 16 bytes each while they are converted
_PATIENCE = 10.0  # seconds; a picture of 25 megapixels is gone after one or two

# Set around every event in page/public_blocks.py.
VISITORS = DecodeLimits(_MAX_PIXELS, PixelBudget(AT_ONCE, _PATIENCE))


def check_own_pictures(examples: Sequence[Example]) -> None:
    """Refuses a search that decodes too many pictures; stored ones cost nothing, as their vectors are there.

    Raises:
        SimileError: there are more than `MOST_OWN`.
    """
    count = sum(example.picture is not None for example in examples)
    if count > MOST_OWN:
        raise SimileError(
            f"a search takes at most {MOST_OWN} pictures of your own, and these are {count}; remove some"
        )
