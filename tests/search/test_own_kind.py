"""A picture whose vector is longer than those of the collection's own pictures is of another kind."""

import numpy as np
import pytest
from PIL import Image

from pipeline.search import Collection, Example, query_embedding
from tests.search.conftest import GreyEncoder, grey


def test_what_lies_further_out_than_all_own_pictures_is_foreign(
    greys: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(self: GreyEncoder, images: list[Image.Image]) -> np.ndarray:
        """Pictures that are not square have vectors of twice the length."""
        lengths = [2.0 if image.width != image.height else 1.0 for image in images]
        return plain(self, images) * np.array(lengths, np.float32)[:, None]

    plain = GreyEncoder.encode
    monkeypatch.setattr(GreyEncoder, "encode", encode)
    query_embedding._vectors.clear()
    wide, square = (Example(picture=grey(50, size)) for size in ((64, 32), (32, 32)))
    assert not greys.find([wide]).foreign, "nothing is said before it was learnt"
    greys.learn_own_kind()
    found = greys.find([wide])
    assert found.foreign and not found.is_close and found.hits[0].score == pytest.approx(1, abs=0.01)
    assert not greys.find([square]).foreign
    assert not greys.find([wide, square]).foreign, "one of them is of the collection's kind"
    assert not greys.find([Example(id=found.hits[0].id)]).foreign
