"""Measure retrieval: python -m ray_jobs.evaluate cifar10 --source … --split test (default: leave-one-out)."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.errors import SimileError
from pipeline.evaluation import bootstrap_interval, expected_precision
from pipeline.search import Collection, Hit, Metric, open_collection
from ray_jobs.session import print_result, ray_session, report_errors

__all__ = ["main"]

_RANKS = (1, 10)
_BEYOND = 40  # hits fetched beyond the last rank, so that ties there are seen
_BATCH = 64
_METRICS: tuple[Metric, ...] = ("cosine", "hamming")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ray_jobs.evaluate", description=__doc__)
    parser.add_argument("collection")
    parser.add_argument("--source", help="pictures used as queries; default: every picture of the collection")
    parser.add_argument("--split", default="test", help="split of the source")
    parser.add_argument(
        "--fields", nargs="+", help="payload fields that make a hit relevant; default: filters"
    )
    parser.add_argument("--limit", type=int, help="only the first N queries")
    parser.add_argument(
        "--approximate", action="store_true", help="HNSW and quantization instead of exact search"
    )
    parser.add_argument("--home")
    return parser.parse_args(arguments)


def _stored_queries(collection: Collection, limit: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    for at, point in enumerate(collection.ids()):
        if limit is not None and at >= limit:
            return
        yield point, collection.get(point).payload


def _source_queries(
    collection: Collection, source_name: str, split: str, limit: int | None
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Prepared vector and payload of each row, read through Ray Data."""
    from pipeline.sources import decode_payload, image_bytes, read_rows, resolve_source

    source = resolve_source(source_name, split=split)
    with ray_session():
        for batch in read_rows(source, limit=limit).iter_batches(batch_size=_BATCH, batch_format="pyarrow"):
            pictures = [data or b"" for data in image_bytes(batch)]
            yield from zip(collection.embed(pictures), decode_payload(source, batch), strict=True)


def _relevance(hits: list[Hit], payload: dict[str, Any], field: str) -> tuple[np.ndarray, np.ndarray]:
    distances = np.array([hit.distance for hit in hits])
    return distances, np.array([hit.payload.get(field) == payload.get(field) for hit in hits])


def evaluate(collection: Collection, options: argparse.Namespace) -> dict[str, Any]:
    """P@1 and P@10 by each field, cosine and Hamming, with 95 % bootstrap intervals over queries."""
    fields = options.fields or collection.filters
    if not fields:
        raise SimileError(
            f"'{collection.name}' has no labels to measure with; name payload columns by --fields."
        )
    queries: Iterator[tuple[Any, dict[str, Any]]] = (
        _source_queries(collection, options.source, options.split, options.limit)
        if options.source
        else _stored_queries(collection, options.limit)
    )
    wanted: dict[str, Any] = {"k": max(_RANKS) + _BEYOND, "exact": not options.approximate}
    values: dict[str, list[float]] = {}
    count = 0
    for query, payload in tqdm(queries, desc="queries", file=sys.stderr, mininterval=2):
        count += 1
        for metric in _METRICS:
            hits = (
                collection.search_id(query, metric, **wanted)[0]
                if isinstance(query, str)
                else collection.search_vector(query, metric, **wanted)
            )
            for field in fields:
                distances, relevant = _relevance(hits, payload, field)
                for rank in _RANKS:
                    key = f"{field} {metric} P@{rank}"
                    values.setdefault(key, []).append(expected_precision(distances, relevant, rank))
    scores = {}
    for key, each in values.items():
        low, high = bootstrap_interval(np.array(each))
        scores[key] = {"mean": round(float(np.mean(each)), 4), "low": round(low, 4), "high": round(high, 4)}
    return {
        "collection": collection.name,
        "database": collection.count,
        "queries": count,
        "protocol": f"{options.source} {options.split}" if options.source else "leave-one-out",
        "search": "approximate" if options.approximate else "exact",
        "encoder": collection.encoders[0],
        "scores": scores,
    }


def main(arguments: list[str] | None = None) -> None:
    """Print a table on stderr and one JSON line on stdout."""
    options = parse_arguments(arguments)
    with report_errors():
        result = evaluate(open_collection(options.collection, home=options.home), options)
    for key, score in result["scores"].items():
        print(f"{key:<28} {score['mean']:.3f}  [{score['low']:.3f}, {score['high']:.3f}]", file=sys.stderr)
    print_result(result)


if __name__ == "__main__":
    main()
