"""How well planted copies are found: python -m benchmarks.duplicates [--source FOLDER] [--pictures N]

Pictures of a source, and one copy of some of them: saved again as a poor JPEG, scaled to a half, cropped,
turned, mirrored. They are indexed as a folder, and `ray_jobs.duplicates` looks for copies. A copy is found if
it is in the group of its original; a pair is right if both pictures come from one original.

Data sets hold copies of their own. `--show` writes a sheet of the pictures of each group with several
originals, to be looked at; those that show the same are listed, by the SHA-256 of their files, in a file for
`--same`. The answer has the precision without that list, too.

With `--collection`, a collection that is indexed already is searched, and only the time is told.
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as pads
import yaml
from PIL import Image

from pipeline.duplicates.candidates import copies_of
from pipeline.progress import say
from pipeline.search.contact_sheet import contact_sheet
from pipeline.version import simile_version

__all__ = ["main", "mixed", "plant", "score"]

ROOT = Path(__file__).resolve().parent.parent
SAME = ROOT / "benchmarks" / "duplicates_same.json"
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
    parser.add_argument(
        "--pictures", type=int, default=3000, help="pictures to use, at most (default: %(default)s)"
    )
    parser.add_argument("--skip", type=int, default=0, help="pictures of the source to skip first")
    parser.add_argument("--copies", type=int, default=100, help="copies of each kind (default: %(default)s)")
    parser.add_argument("--encoder", default="pypi:efficientnet-lite0", help="default: %(default)s")
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="write sheets of mixed groups here")
    parser.add_argument("--same", type=Path, default=SAME, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--collection", help="measure the time on an existing collection")
    parser.add_argument("--home", help="home of that collection")
    options = parser.parse_args(arguments)
    if options.collection:
        print(json.dumps(_time_of(options.collection, options.home)))
        return
    same = _same_pictures(options.same)
    with tempfile.TemporaryDirectory(prefix="simile-copies-") as folder:
        pictures = Path(folder) / "pictures"
        planted = plant(
            islice(stored_images(options.source), options.skip, None),
            pictures,
            options.pictures,
            options.copies,
        )
        found = _search(folder, pictures, options.encoder)
        with (Path(found["files"][0]).parent / "duplicates.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        digests = {each: _digest(pictures, each) for group in mixed(rows) for each in group}
        told = score(planted, rows, [[digests[each] for each in group] for group in mixed(rows)], same)
        if options.show:
            _write_sheets(pictures, mixed(rows), options.show)
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


def mixed(rows: Iterable[Mapping[str, str]]) -> list[list[str]]:
    """Groups with several originals: the numbers of these."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["group"], set()).add(_named(row["path"])[0])
    return [sorted(numbers) for numbers in groups.values() if len(numbers) > 1]


def score(
    planted: Counter[str],
    rows: Sequence[Mapping[str, str]],
    digests: Sequence[Sequence[str]] = (),
    same: Collection[frozenset[str]] = (),
) -> dict[str, Any]:
    """Recall of each kind of copy, and precision of what was called a copy.

    Args:
        planted: copies of each kind.
        rows: of `duplicates.csv`.
        digests: of each group of `mixed`, the SHA-256 of its originals.
        same: sets of originals that show the same picture, as people found who looked at them.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(_named(row["path"]))
    right = Counter[str]()
    for members in groups.values():
        right.update(
            kind for number, kind in members if kind != "original" and (number, "original") in members
        )
    claimed = sum(len(members) - 1 for members in groups.values())
    wrong = sum(len(numbers) - 1 for numbers in mixed(rows))
    known = sum(len(each) - 1 for each in digests if any(set(each) <= one for one in same))
    return {
        "planted": dict(planted),
        "recall": {kind: round(right[kind] / planted[kind], 4) for kind in planted},
        "precision": round(1 - (wrong - known) / claimed, 4) if claimed else None,
        "precision without the list": round(1 - wrong / claimed, 4) if claimed else None,
        "listed as the same": known,
        "groups of several originals": mixed(rows),
    }


def _named(path: str) -> tuple[str, str]:
    """Number of the original, and what became of it."""
    found = _NAME.search(path)
    assert found, path
    return found[1], found[2]


def _original(folder: Path, number: str) -> Path:
    return next(folder.glob(f"{number}-original.*"))


def _digest(folder: Path, number: str) -> str:
    return hashlib.sha256(_original(folder, number).read_bytes()).hexdigest()


def _same_pictures(file: Path) -> list[frozenset[str]]:
    return [frozenset(each) for each in json.loads(file.read_text())] if file.exists() else []


def _write_sheets(pictures: Path, groups: Sequence[Sequence[str]], folder: Path) -> None:
    """A sheet a group, with the digests of its pictures as captions."""
    folder.mkdir(parents=True, exist_ok=True)
    for numbers in groups:
        captions = [_digest(pictures, number)[:12] for number in numbers]
        files = [_original(pictures, number).read_bytes() for number in numbers]
        (folder / f"{'-'.join(numbers)[:100]}.jpg").write_bytes(contact_sheet(files, captions))
        digests = [_digest(pictures, number) for number in numbers]
        say(f"to look at: {'-'.join(numbers)[:100]}.jpg {json.dumps(digests)}")


def _time_of(collection: str, home: str | None) -> dict[str, Any]:
    """What `ray_jobs.duplicates` says of the time that it took, and the whole of it with Ray's start."""
    from ray_jobs import duplicates

    said, start = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(said):
        duplicates.main([collection, *(["--home", home] if home else [])])
    found = json.loads(said.getvalue())
    names = ("collection", "points", "groups", "copies", "near", "seconds", "processor_seconds")
    return {name: found[name] for name in names} | {"whole": round(time.perf_counter() - start, 1)}


if __name__ == "__main__":
    main()
