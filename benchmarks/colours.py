"""How well a search by colours finds what has these colours: python -m benchmarks.colours [--pictures FOLDER]

Made pictures: of 120 random palettes, eight pictures each; the colours of one that is held out should find
the seven others. Real pictures: those that are held out are asked by their histogram and by their five main
colours. What is found is judged by another measure than the search's own: the sliced Wasserstein distance
(Rabin et al., SSVM 2011) between the pixels in CIELAB, in ΔE, beside that of the best and of random ones.
"""

import argparse
import io
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.no_match import stored_pictures
from pipeline.images import decode, main_colours, shrunk
from pipeline.images.palette import colour_histogram, lab_of, palette_histogram
from pipeline.version import simile_version

__all__ = ["main", "of_made_pictures", "of_real_pictures"]

_PALETTES, _EACH, _COLOURS = 120, 8, 4
_NEAREST = 10
_DIRECTIONS, _PIXELS = 24, 400  # of the sliced distance: its error is then below 1 ΔE


def main(arguments: list[str] | None = None) -> None:
    """One line of JSON for made pictures, one for real ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.colours", description=__doc__)
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    parser.add_argument("--pictures", default="samples/wikiart", help="folder (default: %(default)s)")
    parser.add_argument("--queries", type=int, default=200, help="pictures held out (default: %(default)s)")
    options = parser.parse_args(arguments)
    print(json.dumps({"pictures": "made", **of_made_pictures()}))
    images = [shrunk(decode(data, min_side=256), 256) for data in stored_pictures(Path(options.pictures))]
    print(json.dumps({"pictures": options.pictures, **of_real_pictures(images, options.queries)}))


def of_made_pictures(seed: int = 0) -> dict[str, float]:
    """Share of held-out pictures whose nearest one has their palette, and share of the seven among the first
    seven; by the histogram of a picture and by its main colours.
    """
    drawn = np.random.default_rng(seed)
    palettes = [drawn.integers(0, 256, (_COLOURS, 3)) for _ in range(_PALETTES)]
    images = [_painted(palette, drawn) for palette in palettes for _ in range(_EACH)]
    vectors = np.stack([colour_histogram(image) for image in images])
    belongs = np.repeat(np.arange(_PALETTES), _EACH)
    told: dict[str, float] = {"gallery": len(images)}
    for name, queries in _asked(images[::_EACH], vectors[::_EACH]).items():
        near = queries @ vectors.T
        near[np.arange(_PALETTES), np.arange(0, len(images), _EACH)] = -1  # the picture itself
        found = belongs[np.argsort(-near, axis=1)[:, : _EACH - 1]] == np.arange(_PALETTES)[:, None]
        told |= {
            f"{name} first": round(float(found[:, 0].mean()), 4),
            f"{name} 7": round(float(found.mean()), 4),
        }
    return told


def of_real_pictures(images: Sequence[Image.Image], queries: int) -> dict[str, float]:
    """Mean distance in ΔE of the ten that are found to the picture that was asked; milliseconds a picture."""
    start = time.process_time()  # whatever else the machine does
    vectors = np.stack([colour_histogram(image) for image in images])
    ms = (time.process_time() - start) / len(images) * 1e3
    asked, held = images[:queries], vectors[queries:]
    truth = _distances(asked, images[queries:])
    told = {"queries": len(asked), "gallery": len(held), "ms a picture": round(ms, 3)}
    told["best possible"] = round(float(np.sort(truth, axis=1)[:, :_NEAREST].mean()), 2)
    for name, given in _asked(asked, vectors[:queries]).items():
        first = np.argsort(-given @ held.T, axis=1)[:, :_NEAREST]
        told[name] = round(float(np.take_along_axis(truth, first, axis=1).mean()), 2)
    return told | {"random": round(float(truth.mean()), 2)}


def _asked(images: Sequence[Image.Image], vectors: np.ndarray) -> dict[str, np.ndarray]:
    """(N, BINS) of each way to ask for the colours of N pictures."""
    return {
        "histogram": vectors,
        "five colours": np.stack([palette_histogram(main_colours(image)) for image in images]),
    }


def _painted(palette: np.ndarray, drawn: np.random.Generator) -> Image.Image:
    """Blocks of a palette's colours in shares of their own, under other light, with grain, as a JPEG."""
    shares = drawn.dirichlet(np.full(len(palette), 4.0))
    cells = palette[drawn.choice(len(palette), (12, 12), p=shares)] + drawn.normal(0, 6, 3)
    pixels = np.kron(cells, np.ones((16, 16, 1))) + drawn.normal(0, 10, (192, 192, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=80)
    return decode(file.getvalue())


def _distances(asked: Sequence[Image.Image], others: Sequence[Image.Image]) -> np.ndarray:
    """(Q, N) sliced Wasserstein distances."""
    drawn = np.random.default_rng(1)
    directions = drawn.normal(size=(3, _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)

    def projected(image: Image.Image) -> np.ndarray:
        values = np.asarray(image).reshape(-1, 3)
        chosen = values[drawn.integers(0, len(values), _PIXELS)].astype(np.float64)
        return np.sort(lab_of(chosen) @ directions, axis=0).astype(np.float32)

    gallery = np.stack([projected(image) for image in others])
    # The mean over directions is a half of the distance in three dimensions.
    return np.stack([2 * np.abs(gallery - projected(image)).mean(axis=(1, 2)) for image in asked])


if __name__ == "__main__":
    main()
