"""What may be trained on under a protocol is what its evaluation calls its training images."""

import hashlib

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.pool import Pool, protocols_of
from pipeline.training.allowed import allowed_of


def test_protocol_a_trains_on_its_training_images_and_never_on_a_query() -> None:
    classes = [f"class {label}" for label in np.random.default_rng(0).permutation(np.repeat(range(10), 610))]
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(len(classes))]
    pool = Pool({"label": encode_labels(classes)}, digests, train=5000)
    protocols = {each.key: each for each in protocols_of(pool, ["a", "b"])}
    allowed = allowed_of("a", classes, digests)
    for protocol in protocols.values():
        assert allowed == {digests[i] for i in protocol.training}
        assert not allowed & {digests[i] for i in protocol.queries}
    twice = list(digests)
    twice[protocols["a"].training[0]] = digests[protocols["a"].queries[0]]  # the same bytes asked and taught
    assert len(allowed_of("a", classes, twice)) == len(allowed) - 1


def test_too_few_images_are_refused() -> None:
    with pytest.raises(SimileError, match="ten classes of more than 600"):
        allowed_of("a", ["cat", "dog"], ["0", "1"])
