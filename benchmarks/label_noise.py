"""How well wrong labels are found: python -m benchmarks.label_noise COLLECTION --field NAME [--share 0.05]

Some labels of an indexed collection are exchanged for others at random, in memory. The pictures whose labels
`ray_jobs.insights` would call doubtful are compared with those that were exchanged.
"""

import argparse
import json
from typing import Any

import numpy as np

from pipeline.evaluation.labels import UNLABELLED, Labels, encode_labels
from pipeline.insights.examine import NEIGHBOURS
from pipeline.insights.label_noise import DOUBTFUL, doubtful_labels
from pipeline.report.geometry import Neighbours, find_neighbours
from pipeline.search import open_collection
from pipeline.store.read_points import read_points
from pipeline.version import simile_version

__all__ = ["exchanged", "main", "score"]

_MARGINS = (0.3, 0.45, DOUBTFUL, 0.75, 0.9)


def main(arguments: list[str] | None = None) -> None:
    """One JSON line: precision and recall at several margins, of the default first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_noise", description=__doc__)
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    parser.add_argument("collection")
    parser.add_argument("--field", required=True, help="field of the labels")
    parser.add_argument(
        "--share", type=float, default=0.05, help="share of the labels to exchange (default: 0.05)"
    )
    parser.add_argument(
        "--pictures", type=int, default=50_000, help="pictures to use, at most (default: %(default)s)"
    )
    parser.add_argument("--encoder", help="encoder whose vectors are compared (default: the first)")
    parser.add_argument("--home", help="folder of the collections")
    options = parser.parse_args(arguments)
    store, version = open_collection(options.collection, options.home).live
    entry = version.manifest.encoder(options.encoder)
    points = read_points(store, version.name, [entry.vector], [options.field], options.pictures)
    labels = encode_labels(points.fields[options.field])
    near = find_neighbours(points.vectors[entry.vector], len(points.ids), NEIGHBOURS)
    wrong, flipped = exchanged(labels, options.share)
    told = {"collection": options.collection, "encoder": entry.name, "pictures": len(points.ids)}
    told |= {
        "exchanged": int(flipped.sum()),
        "before": len(doubtful_labels(near.places, near.scores, labels)),
    }
    scores = {f"margin {margin}": score(near, wrong, flipped, margin) for margin in _MARGINS}
    print(json.dumps({**told, **scores}))


def exchanged(labels: Labels, share: float, seed: int = 0) -> tuple[Labels, np.ndarray]:
    """Labels of which a share was replaced by another one at random, and (N,) bool: which."""
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(labels.values != UNLABELLED)
    chosen = rng.permutation(known)[: round(share * len(known))]
    values = labels.values.copy()
    values[chosen] = (values[chosen] + rng.integers(1, len(labels.names), len(chosen))) % len(labels.names)
    return Labels(values, labels.names), values != labels.values


def score(near: Neighbours, labels: Labels, flipped: np.ndarray, margin: float) -> dict[str, Any]:
    """Precision and recall of the doubtful labels."""
    doubts = doubtful_labels(near.places, near.scores, labels, margin)
    right = sum(bool(flipped[doubt.place]) for doubt in doubts)
    return {
        "listed": len(doubts),
        "precision": round(right / len(doubts), 4) if doubts else None,
        "recall": round(right / int(flipped.sum()), 4),
    }


if __name__ == "__main__":
    main()
