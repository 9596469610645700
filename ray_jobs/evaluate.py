"""Measure retrieval: python -m ray_jobs.evaluate COLLECTION [--protocol all] [--encoder NAME …] …

Without more, the vectors of the collection as they are stored: each of 5,000 points asks, all others answer.
--protocol reads the source, embeds what is not staged yet, and measures by named protocols; with --encoder
it needs no index. --engine measures what the search engine returns, exact or approximate.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.errors import SimileError
from pipeline.evaluation.pool import PROTOCOLS
from pipeline.home import resolve_home
from pipeline.search import Collection, open_collection
from pipeline.store import open_store
from qdrant_config import load_config
from ray_jobs.session import print_result, ray_session, report_errors

__all__ = ["main"]

_CONFIGS = Path(__file__).resolve().parent.parent / "qdrant_config"
_STORED_QUERIES = 5000
_BATCH = 64
_TRAINED_ON = ("elsewhere", "train", "a", "unseen-classes")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ray_jobs.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("collection", help="an indexed collection, or with --encoder the name of a YAML")
    parser.add_argument(
        "--protocol", nargs="+", choices=[*PROTOCOLS, "all"], help="named protocols on the source"
    )
    parser.add_argument("--encoder", action="append", help="instead of the collection's; may be repeated")
    parser.add_argument(
        "--trained-on",
        choices=_TRAINED_ON,
        help="what the encoders saw of this source; protocols that this spoils are left out "
        "(default: train for weights:…, elsewhere for all others)",
    )
    parser.add_argument("--source", help="Hub id, mirror or folder; default: the collection's own")
    parser.add_argument("--split", default="test", help="of --source, for --engine (default: test)")
    parser.add_argument("--fields", nargs="+", help="labels; default: the collection's filters")
    parser.add_argument("--limit", type=int, help="only the first N queries, or pictures of each split")
    parser.add_argument("--engine", choices=["exact", "approximate"], help="measure the engine's own answers")
    parser.add_argument("--home")
    return parser.parse_args(arguments)


def evaluate_stored(collection: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The vectors and codes of every encoder of a collection, as they are."""
    from pipeline.evaluation.protocols import sampled
    from pipeline.evaluation.results import labelled, measure
    from pipeline.evaluation.stored import read_stored

    fields = options.fields or collection.filters
    results = []
    for facts in collection.manifest["encoders"]:
        if options.encoder and facts["name"] not in options.encoder:
            continue
        pool, vectors, _ = read_stored(*collection.live, facts, fields)
        labels = labelled({field: each.values for field, each in pool.labels.items()})
        if not labels:
            raise SimileError(
                f"'{collection.name}' has no labels to measure with; name payload columns by --fields, or "
                f"see python -m ray_jobs.report {collection.name} for what can be said without."
            )
        protocol = sampled(pool.size, options.limit or _STORED_QUERIES)
        results.append(measure(facts["name"], vectors, protocol, labels))
    return results


def evaluate_protocols(
    collection: Collection | None, options: argparse.Namespace, home: str
) -> list[dict[str, Any]]:
    """Named protocols on the source, by the collection's encoders or by others."""
    from pipeline.encoders import describe_encoder
    from pipeline.evaluation.methods import fit_on, prepare
    from pipeline.evaluation.pool import protocols_of
    from pipeline.evaluation.reading import read_pool, resolve_splits
    from pipeline.evaluation.results import labelled, measure

    source, split, fields = _where(collection, options)
    encoders = options.encoder or (collection.encoders if collection else [])
    splits = resolve_splits(source, split)
    with ray_session():
        pool = read_pool(
            options.collection, splits, encoders, fields or _labels(splits[0]), home, options.limit
        )
    labels = labelled({field: each.values for field, each in pool.labels.items()})
    wanted = PROTOCOLS if "all" in options.protocol else tuple(options.protocol)
    protocols = protocols_of(pool, wanted)
    results = []
    for name in encoders:
        allowed = [p for p in protocols if _unspoilt(p.key, options.trained_on or _seen(name))]
        for protocol in protocols:
            if protocol not in allowed:
                print(f"left out, for {name} saw its pictures: {protocol.name}", file=sys.stderr)
        bits = getattr(describe_encoder(name), "code_bits", None)
        raw = np.asarray(pool.raw[name], np.float32)
        projections: dict[bytes, Any] = {}  # by training set: A and B have the same, as have C and others
        for protocol in tqdm(allowed, desc=name, file=sys.stderr, leave=False):
            key = protocol.training.tobytes() or protocol.database.tobytes()
            if key not in projections:
                projections[key] = fit_on(raw, bits, protocol)
            vectors = prepare(raw, bits, protocol, projections[key])
            results.append(measure(name, vectors, protocol, labels) | {"source_missing": pool.missing})
    if not results:
        raise SimileError(
            f"None of {', '.join(wanted)} can be had of '{splits[0].name}' with these encoders; a, b, c and "
            "unseen-classes need ten classes, all but a and b a test split, art a column 'artist'."
        )
    return results


def evaluate_engine(collection: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the search engine returns, query by query."""
    from pipeline.evaluation.engine import engine_scores, stored_queries

    fields = options.fields or collection.filters
    if not fields:
        raise SimileError(
            f"'{collection.name}' has no labels to measure with; name payload columns by --fields."
        )
    queries: Any = (
        _source_queries(collection, options.source, options.split, options.limit)
        if options.source
        else stored_queries(collection, options.limit)
    )
    shown = tqdm(queries, desc="queries", file=sys.stderr, mininterval=2)
    count, scores = engine_scores(collection, shown, fields, options.engine == "exact")
    asked = f"{options.source} {options.split}" if options.source else "leave-one-out"
    asked = f"{asked}, {count:,} queries in {collection.count:,}"
    for key, score in scores.items():
        print(f"{key:<28} {score['mean']:.3f}  [{score['low']:.3f}, {score['high']:.3f}]", file=sys.stderr)
    return [
        {
            "key": "engine",
            "protocol": f"{options.engine} search of the engine ({asked})",
            "about": "through the index, its quantization and its rescoring",
            "counts": {"queries": count, "training": 0, "database": collection.count},
            "encoder": collection.encoders[0],
            "scores": scores,
        }
    ]


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


def _where(collection: Collection | None, options: argparse.Namespace) -> tuple[str, str, list[str] | None]:
    """Source, split of its training pictures, and label fields, from the collection or its YAML."""
    if collection is not None:
        facts = collection.manifest
        return options.source or facts["source"], facts["split"], options.fields or collection.filters
    path = _CONFIGS / f"{options.collection}.yaml"
    if not path.is_file():
        if not options.source:
            raise SimileError(
                f"There is neither a collection nor a YAML '{options.collection}'; give --source."
            )
        return options.source, "train", options.fields
    config = load_config(str(path))
    return options.source or config.source, config.split, options.fields or config.filters


def _labels(source: Any) -> list[str]:
    from pipeline.indexing.payload_fields import payload_indexes

    return list(payload_indexes(source, None))


def _seen(encoder: str) -> str:
    return "train" if encoder.startswith("weights:") else "elsewhere"


def _unspoilt(protocol: str, trained_on: str) -> bool:
    """Whether no query of the protocol was trained on, nor anything it wants unseen."""
    if trained_on == "elsewhere":
        return True
    if trained_on == "a":
        return protocol in ("a", "b")
    if trained_on == "unseen-classes":
        return protocol in ("unseen-classes", "c", "unseen-database")
    return protocol in ("c", "unseen-database", "art")


def _opened(options: argparse.Namespace) -> Collection | None:
    """The collection; None where there is none of this name and other encoders are measured."""
    if options.encoder and options.protocol and options.collection not in open_store(options.home).aliases():
        return None
    return open_collection(options.collection, home=options.home)


def main(arguments: list[str] | None = None) -> None:
    """Tables on stderr, one JSON line on stdout; kept with the collection where there is one."""
    from pipeline.evaluation.results import table_lines
    from pipeline.evaluation.stored import keep

    options = parse_arguments(arguments)
    with report_errors():
        collection = _opened(options)
        if options.engine and collection:
            results = evaluate_engine(collection, options)
        elif options.protocol:
            results = evaluate_protocols(collection, options, resolve_home(options.home))
        else:
            assert collection is not None
            results = evaluate_stored(collection, options)
        if collection:
            keep(*collection.live, results)
    for line in table_lines([result for result in results if "rows" in result]):
        print(line, file=sys.stderr)
    print_result({"collection": options.collection, "kept": collection is not None, "results": results})


if __name__ == "__main__":
    main()
