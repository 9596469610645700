"""A few images from bytes to vectors: a bad one costs its neighbours nothing."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.encoders import Encoder, load_encoder
from pipeline.images import THUMBNAIL_SIDE, decode, shrunk
from pipeline.indexing.decode_and_embed import EmbedThreads, embed_group
from tests.images.made_images import encoded, noise


class Mean:
    """An encoder whose vector is the mean colour; it cannot preprocess pictures one pixel wide."""

    dimension = 3
    decode_side = 256

    def preprocess(self, image: Image.Image, small: Image.Image | None = None) -> np.ndarray:
        if image.width == 1:
            raise ValueError("too narrow")
        return np.asarray(image.resize((2, 2)), np.float32).transpose(2, 0, 1)

    def encode_tensor(self, batch: np.ndarray) -> np.ndarray:
        vectors = batch.mean((2, 3))
        vectors[vectors[:, 0] == 13] = np.nan
        vectors[vectors[:, 0] == 14] = 1e-9  # nothing, in the half precision that is staged
        vectors[vectors[:, 0] == 15] = 1e9
        return vectors


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    """Its whole picture has the size of a thumbnail, so both share one."""
    return load_encoder("pypi:efficientnet-lite0", device="cpu")


def png(colour: tuple[int, int, int], size: tuple[int, int] = (4, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def group():
    rows = [
        ("red", 0b11, png((200, 0, 0))),
        ("broken", 0b11, b"\x89PNG no"),
        ("narrow", 0b01, png((9, 9, 9), (1, 5))),
        ("gone", 0b11, b""),
        ("blue", 0b10, png((0, 0, 100), (6, 3))),
        ("odd", 0b01, png((13, 0, 0))),
        ("tiny", 0b01, png((14, 0, 0))),
        ("vast", 0b01, png((15, 0, 0))),
    ]
    return embed_group({"first": Mean(), "second": Mean()}, 256, rows)


def test_every_encoder_has_the_rows_it_needs(group) -> None:
    first, second = group.outputs["first"], group.outputs["second"]
    assert [picture.id for picture in first.kept] == ["red"]
    assert [picture.id for picture in second.kept] == ["red", "blue"]
    np.testing.assert_array_equal(second.vectors, [[200, 0, 0], [0, 0, 100]])


def test_every_bad_row_says_what_is_wrong(group) -> None:
    assert [(reject.id, reject.stage) for reject in group.broken] == [
        ("broken", "decode"),
        ("gone", "decode"),
    ]
    assert group.broken[0].first_bytes == b"\x89PNG no".hex()
    failed = {reject.id: reject for reject in group.outputs["first"].failed}
    assert (failed["narrow"].stage, failed["narrow"].reason) == ("preprocess", "ValueError: too narrow")
    assert (failed["odd"].stage, failed["odd"].reason) == ("embed", "first gives NaN or infinity")
    assert failed["tiny"].reason == "first gives only zeros, as 16-bit floats"
    assert failed["vast"].reason.startswith("first gives values beyond 65,504")
    assert group.outputs["second"].failed == []


def test_size_and_thumbnail_are_kept_and_pixels_dropped(group) -> None:
    blue = group.outputs["second"].kept[1]
    assert (blue.width, blue.height) == (6, 3)
    assert Image.open(io.BytesIO(blue.thumbnail)).size == (6, 3)
    assert not {"image", "data"} & set(vars(blue))


def test_pictures_of_one_single_colour_are_counted(group) -> None:
    """All that could be decoded are."""
    assert group.single_colour == 6
    rows = [("grey", 1, png((9, 9, 9))), ("noise", 1, encoded(noise((9, 9)), "PNG"))]
    assert embed_group({"first": Mean()}, 256, rows).single_colour == 1


class Corner(Mean):
    """An encoder that wants larger pictures."""

    decode_side = 300


def test_a_vector_does_not_depend_on_the_other_encoders_of_a_job() -> None:
    data = encoded(noise((900, 700)), "JPEG")
    both = embed_group({"small": Mean(), "large": Corner()}, 300, [("a", 0b11, data)])
    for name, encoder, side in (("small", Mean(), 256), ("large", Corner(), 300)):
        alone = embed_group({name: encoder}, side, [("a", 1, data)]).outputs[name]
        np.testing.assert_array_equal(both.outputs[name].vectors, alone.vectors)
        assert alone.kept[0].thumbnail_type == "image/jpeg"


def test_an_index_job_and_a_query_give_one_vector(lite0) -> None:
    """Of a photograph that is decoded at a smaller scale, whatever it is handed over as."""
    data = encoded(noise((1300, 1100)), "JPEG")
    staged = embed_group({"lite0": lite0}, lite0.decode_side, [("a", 1, data)]).outputs["lite0"].vectors
    asked = lite0.encode([data, Image.open(io.BytesIO(data))])
    np.testing.assert_allclose(asked, [staged[0], staged[0]], atol=1e-5 * np.abs(staged).max())
    image = decode(data, min_side=lite0.decode_side)
    small = shrunk(image, THUMBNAIL_SIDE)
    assert small.size != image.size
    assert np.array_equal(lite0.preprocess(image, small), lite0.preprocess(image))  # shared, and the same


class OnGpu(Mean):
    """An encoder that wants large batches, as those on a GPU do."""

    batch_size = 256

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode_tensor(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        return super().encode_tensor(batch)


def test_a_gpu_gets_all_pictures_of_a_call_in_one_batch() -> None:
    """And what becomes of each is the same as where each thread has a network of its own."""
    files = [png((value, 0, 0)) for value in range(13, 83)] + [b"broken"]
    rows = [(str(at), 1, data) for at, data in enumerate(files)]
    on_gpu, on_cpu = OnGpu(), OnGpu()
    on_cpu.batch_size = 1
    (group,) = EmbedThreads({"e": on_gpu}, 256, 3)(rows)
    apart = EmbedThreads({"e": on_cpu}, 256, 3)(rows)
    assert on_gpu.batches == [70] and len(apart) == len(on_cpu.batches) == 3
    kept = [picture for each in apart for picture in each.outputs["e"].kept]
    assert group.outputs["e"].kept == kept and len(kept) == 67  # three vectors cannot be compared
    assert [reject.id for reject in group.broken] == ["70"]
    vectors = np.concatenate([each.outputs["e"].vectors for each in apart])
    np.testing.assert_array_equal(group.outputs["e"].vectors, vectors)
    assert group.single_colour == sum(each.single_colour for each in apart) == 70
