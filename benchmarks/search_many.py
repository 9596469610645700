"""`Collection.search_many` beside the embed stage: python -m benchmarks.search_many [--short]

Both take the same photographs from their bytes, in the same process and in turns: the loop of the embed
stage (decode, thumbnail, network), and searches for ten hits of each in a collection of random vectors.
"""

import argparse
import base64
import os
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.embed import pictures
from benchmarks.made_photographs import KINDS, made
from benchmarks.photographs import ENCODER, SOURCE
from benchmarks.report import machine, print_table, write_result
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.encoders import Encoder, load_encoder
from pipeline.encoders.all_cores import GROUP, one_thread
from pipeline.images import THUMBNAIL_SIDE, decode, shrunk, thumbnail
from pipeline.indexing.decode_and_embed import embed_group
from pipeline.points import RESERVED
from pipeline.projection import Projection
from pipeline.search import Collection, open_collection
from pipeline.store import Manifest, open_store
from pipeline.store.protocol import vector_params

__all__ = ["main", "rates"]

_NAME, _BATCH = "random", 500
_BITS = 512
_ROUNDS = 5


def main(arguments: list[str] | None = None) -> None:
    """Measure; write benchmarks/results/search_many.json, unless it is the short form."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_many", description=__doc__)
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--source", type=Path, default=SOURCE, help="a data set of pictures to enlarge")
    parser.add_argument("--points", type=int, default=50_000, help="points in the collection")
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--short", action="store_true", help="a few seconds, to see that it works")
    options = parser.parse_args(arguments)
    points, count, rounds = options.points, options.pictures, _ROUNDS
    if options.short:
        points, count, rounds = 100, 4, 1
    facts = machine()
    encoder = load_encoder(options.encoder, device="cpu")
    files = made(KINDS[0], pictures(options.source, min(32, count)))
    files = (files * -(-count // len(files)))[:count]
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as home:
        _fill(home, encoder, points, files[0])
        found = rates(open_collection(_NAME, home=home), encoder, files, rounds)
    rows = [[name, rate, f"{rate / found['embed loop']:.0%}"] for name, rate in found.items()]
    title = f"{KINDS[0].name}, {options.encoder}, {points:,} points"
    print_table(title, ["", "pictures/s", "of the embed loop"], rows)
    if not options.short:
        figures = {"points": points, "pictures": count, "encoder": options.encoder, "rates": found}
        print(write_result("search_many", figures, facts))


def rates(collection: Collection, encoder: Encoder, files: list[bytes], rounds: int) -> dict[str, float]:
    """Pictures a second of each way: medians of so many rounds, in which the ways take turns."""
    ways: dict[str, Callable[[], Any]] = {
        "embed loop": partial(_embed, encoder, files),
        "search_many": partial(collection.search_many, files),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):  # the first one warms up
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: round(len(files) / median(times), 1) for name, times in taken.items()}


def _embed(encoder: Encoder, files: list[bytes]) -> None:
    rows = [(str(number), 1, data) for number, data in enumerate(files)]
    groups = [rows[start : start + GROUP] for start in range(0, len(rows), GROUP)]
    with ThreadPoolExecutor(os.cpu_count() or 1, initializer=one_thread) as pool:
        list(pool.map(partial(embed_group, {encoder.name: encoder}, encoder.decode_side), groups))


def _fill(home: str, encoder: Encoder, points: int, picture: bytes) -> None:
    """A collection of random vectors with real thumbnails, which queries of this encoder can be made of."""
    config = CollectionConfig(
        collection=_NAME, source="x", encoders=[EncoderConfig(name=encoder.name, vector="v")]
    )
    store, version = open_store(home), f"{_NAME}__20260101T000000000000"
    store.create(version, config, vector_params(config, {"v": _BITS}, {"v_code": _BITS}, points), {})
    chance = np.random.default_rng(0)
    data, kind = thumbnail(shrunk(decode(picture, min_side=THUMBNAIL_SIDE), THUMBNAIL_SIDE))
    shown = {RESERVED: {"thumbnail": base64.b64encode(data).decode(), "thumbnail_type": kind}}
    for first in range(0, points, _BATCH):
        vectors = chance.normal(size=(min(_BATCH, points - first), _BITS)).astype(np.float32)
        ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(first + at))) for at in range(len(vectors))]
        rows = {"v": vectors, "v_code": Projection.codes(vectors)}
        store.upsert(version, ids, rows, [shown] * len(vectors))
    store.finish(version)
    described = {
        "name": encoder.name,
        "vector": "v",
        "code": "v_code",
        "fingerprint": encoder.fingerprint,
        "dimension": encoder.dimension,
        "prepared_dimension": _BITS,
    }
    matrix = chance.normal(size=(encoder.dimension, _BITS)).astype(np.float32) / encoder.dimension**0.5
    tensors = {"v.matrix": matrix, "v.offset": np.zeros(_BITS, np.float32)}
    facts: dict[str, Any] = {"collection": _NAME, "filters": [], "encoders": [described], "rows": points}
    store.write_manifest(version, Manifest(**facts, tensors=tensors))
    store.switch(_NAME, version)


if __name__ == "__main__":
    main()
