"""The memory of RGB images as arrays, and arrays as images.

PIL keeps each pixel of an RGB image in four bytes, the last of which means nothing. Arrow's C interface shows
them as they are; NumPy's own way through PIL packs and copies them twice, which takes as long as a resize and
keeps other threads waiting.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

__all__ = ["image_of", "levels"]


def levels(image: Image.Image) -> np.ndarray:
    """(height, width, 4) uint8 of an RGB image, the last channel without a meaning; or (height, width, 3).

    Four channels are the image's own memory: nothing may be written there. Three are a copy.
    """
    # PIL 12.3 crashes when it exports memory that belongs to somebody else, or none.
    if image.readonly or 0 in image.size:
        return np.array(image)
    import pyarrow as pa  # takes 0.1 s, and whoever only asks a collection needs it for nothing else

    try:
        flat = pa.array(image).flatten().to_numpy()
    except ValueError:  # more than 16 MB, which PIL keeps in several pieces
        return np.array(image)
    own: np.ndarray = flat.reshape(image.height, image.width, 4)
    return own


def image_of(array: np.ndarray) -> Image.Image:
    """An RGB image of (height, width, 4 or 3) uint8, as `levels` gives it; a copy."""
    if array.shape[2] == 3:
        return Image.fromarray(array)
    import pyarrow as pa

    pixels = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(array).reshape(-1)), 4)
    return Image.fromarrow(pixels, "RGB", (array.shape[1], array.shape[0])).copy()
