"""How often the page says "No close match": of pictures of the collection's own kind, and of another kind.

    python -m benchmarks.no_match wikiart --own more/paintings --other photographs

Pictures that the collection holds are left out. It should be said of few pictures of the own kind (at most
5 %) and of most of another kind (at least 80 %).
"""

import argparse
import hashlib
import io
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.errors import SimileError
from pipeline.points import point_id
from pipeline.search import METRICS, Collection, Example, Settings, open_collection

__all__ = ["main", "pictures_in", "share_without_match", "stored_pictures"]

NOISE = "noise"
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_SIDE = 224  # pixels of a picture of noise


def main(arguments: list[str] | None = None) -> int:
    """Prints one line of JSON for each encoder, metric and kind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.no_match", description=__doc__)
    parser.add_argument("collection")
    parser.add_argument("--own", required=True, help="folder of pictures or parquet files, of its kind")
    parser.add_argument("--other", required=True, help=f"the same of another kind, or '{NOISE}'")
    parser.add_argument(
        "--pictures", type=int, default=200, help="pictures of each kind (default: %(default)s)"
    )
    parser.add_argument(
        "--skip", type=int, default=0, help="pictures to skip before them (default: %(default)s)"
    )
    parser.add_argument("--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)")
    options = parser.parse_args(arguments)
    try:
        found = open_collection(options.collection, home=options.home)
        held = set(found.ids())
        kinds = {
            kind: pictures_in(source, options.skip + options.pictures, found.name, held)[options.skip :]
            for kind, source in (("own", options.own), ("other", options.other))
        }
        for encoder in found.encoders:
            found.learn_own_kind(encoder)
            for metric in METRICS:
                settings = Settings(metric, k=1, encoder=encoder)
                for kind, pictures in kinds.items():
                    share = share_without_match(found, pictures, settings)
                    about = {"encoder": encoder, "metric": metric, "kind": kind, "pictures": len(pictures)}
                    print(json.dumps({"collection": found.name, **about, "no_close_match": round(share, 4)}))
    except SimileError as error:
        print(f"no_match: {error}", file=sys.stderr)
        return 1
    return 0


def share_without_match(found: Collection, pictures: list[bytes], settings: Settings) -> float:
    """Share of the pictures for which the best hit is no close match."""
    far = [not found.find([Example(picture=one)], settings=settings).is_close for one in pictures]
    return sum(far) / len(far)


def pictures_in(source: str, most: int, collection: str, held: set[str]) -> list[bytes]:
    """Up to `most` pictures drawn at random, without those whose id in `collection` is one of `held`.

    Raises:
        SimileError: there are none.
    """
    every = _noise(most) if source == NOISE else stored_pictures(Path(source))
    kept: list[bytes] = []
    for data in every:
        if point_id(collection, hashlib.sha256(data).hexdigest()) not in held:
            kept.append(data)
        if len(kept) == most:
            break
    if not kept:
        raise SimileError(f"'{source}' has no pictures beside those of '{collection}'; name another folder")
    return kept


def stored_pictures(folder: Path) -> Iterator[bytes]:
    """Pictures of one row group after another, or file after file, in one random order."""
    drawn = random.Random(0)
    groups = [
        (file, group)
        for file in sorted(folder.rglob("*.parquet"))
        for group in range(pq.ParquetFile(file).num_row_groups)
    ]
    drawn.shuffle(groups)
    for file, group in groups:
        rows = _pictures_of(pq.ParquetFile(file).read_row_group(group))
        for at in drawn.sample(range(len(rows)), len(rows)):
            yield rows[at].as_py()["bytes"]
    files = sorted(one for one in folder.rglob("*") if one.suffix.lower() in _ENDINGS)
    drawn.shuffle(files)
    for one in files:
        yield one.read_bytes()


def _pictures_of(table: pa.Table) -> pa.ChunkedArray:
    """The first column that holds pictures as `datasets` keeps them: `bytes` and `path`."""
    for column in table.columns:
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            return column
    raise SimileError(f"the columns {', '.join(table.column_names)} hold no pictures; name another folder")


def _noise(most: int) -> Iterator[bytes]:
    values = np.random.default_rng(0)
    for _ in range(most):
        file = io.BytesIO()
        Image.fromarray(values.integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)).save(file, "PNG")
        yield file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
