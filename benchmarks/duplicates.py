"""How well planted copies are found: python -m benchmarks.duplicates [--source FOLDER] [--pictures N]

Pictures of a source, and one copy of some of them: saved again as a poor JPEG, scaled to a half, cropped,
turned, mirrored. They are indexed as a folder, and `ray_jobs.duplicates` looks for copies. A copy is found if
it is in the group of its original; a pair is right if both pictures come from one original.
"""

import argparse
import contextlib
import csv
import io
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as pads
import yaml
from PIL import Image

from pipeline.duplicates.candidates import copies_of
from pipeline.progress import say
from pipeline.version import simile_version

__all__ = ["main", "plant", "score"]

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("jpeg", "scaled", "cropped", "turned", "mirrored")
_NAME = re.compile(r"(\d+)-(\w+)\.\w+$")  # of a file: number of the original, and what became of it


def main(arguments: list[str] | None = None) -> None:
    """One JSON line: recall by kind of copy, and precision of all pairs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description=__doc__)
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    parser.add_argument(
        "--source",
        type=Path,
        nargs="+",
        default=[ROOT / "samples"],
        help="folders with Parquet files of images",
    )
    parser.add_argument("--pictures", type=int, default=3000, help="at most (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=100, help="of each kind (default: %(default)s)")
    parser.add_argument("--encoder", default="pypi:efficientnet-lite0", help="default: %(default)s")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="simile-copies-") as folder:
        pictures = Path(folder) / "pictures"
        planted = plant(stored_images(options.source), pictures, options.pictures, options.copies)
        found = _search(folder, pictures, options.encoder)
        with (Path(found["files"][0]).parent / "duplicates.csv").open(newline="", encoding="utf-8") as file:
            told = score(planted, list(csv.DictReader(file)))
    told |= {"encoder": options.encoder, "near": found["near"], "seconds": found["seconds"]}
    print(json.dumps({"pictures": found["points"], **told}))


def stored_images(folders: Iterable[Path]) -> Iterator[bytes]:
    """Encoded pictures of all Parquet files below the folders, in order."""
    for folder in folders:
        for file in sorted(folder.rglob("*.parquet")):
            for batch in pads.dataset(file).to_batches(batch_size=256):
                (column,) = (name for name in batch.schema.names if name in ("image", "img"))
                yield from (row["bytes"] for row in batch[column].to_pylist())


def plant(images: Iterable[bytes], folder: Path, pictures: int, copies: int) -> Counter[str]:
    """Write the originals, and of the first `copies` of each kind a copy; returns how many of each kind."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    planted = Counter[str]()
    for number, data in enumerate(images):
        if number >= pictures:
            break
        (folder / f"{number}-original.{_ending(data)}").write_bytes(data)
        kind = KINDS[number % len(KINDS)]
        if planted[kind] < copies:
            with Image.open(io.BytesIO(data)) as opened:
                copy = dict(copies_of(opened.convert("RGB"), rng))[kind]
            quality = 30 if kind == "jpeg" else 90
            copy.save(folder / f"{number}-{kind}.jpg", quality=quality)
            planted[kind] += 1
    return planted


def _ending(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        return str(image.format).lower()


def _search(folder: str, pictures: Path, encoder: str) -> dict[str, Any]:
    """Index the pictures and look for copies; what `ray_jobs.duplicates` says."""
    from ray_jobs import duplicates, index

    config = Path(folder) / "copies.yaml"
    config.write_text(
        yaml.safe_dump({"collection": "copies", "source": str(pictures), "encoders": [{"name": encoder}]})
    )
    home = f"{folder}/home"
    with contextlib.redirect_stdout(io.StringIO()):
        index.main([str(config), "--home", home])
    said = io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(said):
        duplicates.main(["copies", "--home", home, "--mirrored"])
    say(f"whole job: {time.perf_counter() - start:.1f} s")
    found: dict[str, Any] = json.loads(said.getvalue())
    return found


def score(planted: Counter[str], rows: list[dict[str, str]]) -> dict[str, Any]:
    """Recall of each kind of copy, and precision of what was called a copy.

    Args:
        planted: copies of each kind.
        rows: of `duplicates.csv`.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        named = _NAME.search(row["path"])
        assert named, row["path"]
        groups.setdefault(row["group"], []).append((named[1], named[2]))
    right, wrong = Counter[str](), []
    for members in groups.values():
        originals = Counter(number for number, _ in members)
        wrong += [sorted(originals)] if len(originals) > 1 else []
        right.update(
            kind for number, kind in members if kind != "original" and (number, "original") in members
        )
    claimed = sum(len(members) - 1 for members in groups.values())
    mixed = sum(len(numbers) - 1 for numbers in wrong)
    return {
        "planted": dict(planted),
        "recall": {kind: round(right[kind] / planted[kind], 4) for kind in planted},
        "precision": round(1 - mixed / claimed, 4) if claimed else None,
        "groups of several originals": wrong,
    }


if __name__ == "__main__":
    main()
