"""Which images a network may be trained on under a named protocol: cut by the functions that evaluate it."""

import json
from collections.abc import Sequence
from typing import Literal

from pipeline.errors import SimileError
from pipeline.sources import Source

__all__ = ["allowed_digests", "allowed_of"]

Protocol = Literal["art", "a", "b"]


def allowed_digests(protocol: Protocol, splits: Sequence[Source], column: str) -> set[str]:
    """sha256 of the images that may be trained on. Needs a Ray session.

    All rows are read, also for a training of the first few: another pool would be cut elsewhere, and what is
    asked about all of it would have been trained on.

    Args:
        splits: train, or train and test, in the order that an evaluation reads them.
        column: of classes; of artists for `art`.

    Raises:
        SimileError: the protocol cannot be cut from these rows.
    """
    from pipeline.indexing.plan import make_plan

    texts: list[str | None] = []
    digests: list[str] = []
    for source in splits:
        table = make_plan("training", source).table
        rows = table.filter(table["id"].is_valid())
        texts += [json.loads(payload).get(column) for payload in rows["payload"].to_pylist()]
        digests += rows["digest"].to_pylist()
    return allowed_of(protocol, texts, digests)


def allowed_of(protocol: Protocol, classes: Sequence[str | None], digests: Sequence[str]) -> set[str]:
    """The same, of N images in the order of an evaluation's pool.

    Args:
        classes: names, None where there is none.
        digests: sha256 in hexadecimal.

    Raises:
        SimileError: the protocol cannot be cut from these images.
    """
    from pipeline.evaluation.labels import encode_labels
    from pipeline.evaluation.pool import Pool, protocols_of
    from pipeline.evaluation.splits import art_split

    if protocol == "art":
        split = art_split([name or "" for name in classes], digests)
        return {digests[place] for place in split.training}
    pool = Pool({"label": encode_labels(classes)}, digests, train=len(digests))
    cut = protocols_of(pool, [protocol])
    if not cut:
        raise SimileError(
            f"data.protocol '{protocol}' needs ten classes of more than 600 images each, as CIFAR-10 has; "
            "use 'none'"
        )
    asked = {digests[place] for place in cut[0].queries}  # an image may be there twice
    return {digests[place] for place in cut[0].training} - asked
