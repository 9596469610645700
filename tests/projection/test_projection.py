"""Centre, whiten, rotate: by hand on small numbers, and what it is for on larger ones."""

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.projection import Projection, identity, read_tensors, vectors_fingerprint
from pipeline.projection.fit_projection import _nearest_rotation, fit_projection, tight_frame
from pipeline.store.manifest import EncoderEntry, Manifest, Version
from pipeline.vectors import hamming_distances, unit


def positive_vectors(n: int = 400, d: int = 32) -> np.ndarray:
    """Like pooled CNN features: never negative, so that raw signs say nothing."""
    rng = np.random.default_rng(0)
    return np.abs(rng.normal(size=(n, 6)) @ rng.normal(size=(6, d)) + rng.normal(size=(n, d)) * 0.3)


def test_prepared_vectors_are_centred() -> None:
    raw = positive_vectors()
    assert np.allclose(fit_projection(raw, 16).apply(raw).mean(axis=0), 0, atol=1e-4)


def test_half_whitening_keeps_the_total_of_deviations() -> None:
    """Deviation s divided by sqrt(s) leaves a variance of s, and a rotation keeps the sum."""
    raw = positive_vectors()
    deviations = np.sqrt(np.linalg.eigvalsh(np.cov(raw.T, bias=True))[::-1][:16])
    prepared = fit_projection(raw, 16).apply(raw)
    assert np.isclose(prepared.var(axis=0).sum(), deviations.sum(), rtol=1e-3)


def test_two_points_on_a_line_become_one_bit_that_tells_them_apart() -> None:
    projection = fit_projection(np.array([[1.0, 5.0], [3.0, 5.0]]), 2)
    codes = Projection.codes(projection.apply(np.array([[1.0, 5.0], [3.0, 5.0]])))
    assert projection.dimension == 1  # the second component does not vary
    assert codes[0, 0] == -codes[1, 0]


def test_fewer_rows_than_dimensions() -> None:
    assert fit_projection(positive_vectors(n=5, d=32), 16).dimension == 4


def test_rows_with_nan_are_left_out() -> None:
    raw = positive_vectors()
    broken = np.vstack([raw, np.full((1, 32), np.nan)])
    assert np.allclose(fit_projection(broken, 8).matrix, fit_projection(raw, 8).matrix)


def test_equal_rows_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="all vectors of the sample are equal"):
        fit_projection(np.ones((10, 4)), 2)


def test_same_input_same_projection() -> None:
    raw = positive_vectors()
    assert np.array_equal(fit_projection(raw, 8).matrix, fit_projection(raw, 8).matrix)


def test_identity_changes_nothing() -> None:
    raw = positive_vectors(n=3).astype(np.float32)
    assert np.array_equal(identity(32).apply(raw), raw)


def test_hamming_distance_is_an_integer_count() -> None:
    codes = np.array([[1, 1, 1], [1, -1, 1], [-1, -1, -1]])
    assert hamming_distances(np.array([1, 1, 1]), codes).tolist() == [0, 1, 3]


def test_prepared_codes_keep_neighbours_better_than_raw_signs() -> None:
    raw = positive_vectors()
    prepared = fit_projection(raw, 32).apply(raw)

    def recall(codes: np.ndarray) -> float:
        unit = prepared / np.linalg.norm(prepared, axis=1, keepdims=True)
        exact = np.argsort(-(unit @ unit.T), axis=1)[:, 1:11]
        near = np.argsort(np.stack([hamming_distances(c, codes) for c in codes]), axis=1, kind="stable")
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, near[:, 1:11], strict=True)]))

    assert recall(Projection.codes(prepared)) > recall(Projection.codes(raw)) + 0.2


def test_no_whitening_is_a_rotation_that_keeps_distances() -> None:
    raw = positive_vectors(d=8)
    prepared = fit_projection(raw, 8, whitening=0).apply(raw)
    assert np.isclose(np.linalg.norm(raw[0] - raw[1]), np.linalg.norm(prepared[0] - prepared[1]), rtol=1e-4)


def test_constant_components_are_dropped_in_single_precision_too() -> None:
    raw = np.column_stack([positive_vectors(d=3), np.full(400, 7.0), np.zeros(400)]).astype(np.float32)
    projection = fit_projection(raw, 5)
    assert projection.dimension == 3
    assert np.allclose(projection.matrix[3:], 0, atol=1e-6)  # they add nothing to any prepared component


def test_a_short_code_is_made_of_the_strongest_components_alone() -> None:
    """Two strong axes, six weak ones: a code of two bits must not hear of the weak ones."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(500, 8)) * np.array([9, 8, 1, 1, 1, 1, 1, 1])
    projection = fit_projection(raw, 8, code_bits=2)
    assert (projection.dimension, projection.bits, projection.codes_apart) == (8, 2, True)
    assert projection.code_matrix is not None
    assert np.abs(projection.code_matrix[2:]).max() < 0.1 * np.abs(projection.code_matrix[:2]).max()
    _, codes = projection.split(raw)
    assert np.array_equal(codes, fit_projection(raw, 2).split(raw)[1])


def test_a_code_can_be_longer_than_its_vector() -> None:
    raw = positive_vectors(d=32)
    projection = fit_projection(raw, 4, code_bits=16)
    assert (projection.dimension, projection.bits) == (4, 16)
    prepared, codes = projection.split(raw)
    assert np.allclose(prepared, fit_projection(raw, 4).apply(raw), atol=1e-4)
    assert np.array_equal(codes, fit_projection(raw, 16).split(raw)[1])
    assert np.allclose(identity(3, code_bits=2).split(np.array([[1.0, -1, 1]]))[1], [[1, -1]])


def test_a_hash_head_makes_the_codes_and_leaves_the_vectors_alone() -> None:
    projection = Projection(np.eye(2, dtype=np.float32), np.array([10, 0], np.float32), hash_bits=3)
    assert (projection.bits, projection.codes_apart) == (3, True)
    prepared, codes = projection.split(np.array([[1.0, 2.0, -0.5, 0.0, 4.0]]))
    assert prepared.tolist() == [[11, 2]]
    assert codes.tolist() == [[-1, 1, 1]]
    with pytest.raises(ValueError, match="expected 2 \\+ 3 outputs"):
        projection.split(np.array([[1.0, 2.0]]))


def test_what_a_manifest_keeps_comes_back() -> None:
    projection = fit_projection(positive_vectors(d=8), 4, code_bits=6)
    entry = EncoderEntry(name="e:cnn", vector="cnn")
    manifest = Manifest(collection="c", encoders=(entry,), tensors=projection.tensors("cnn"))
    back = manifest.projection_of(entry)
    raw = positive_vectors(n=5, d=8)
    for one, other in zip(projection.split(raw), back.split(raw), strict=True):
        assert np.array_equal(one, other)


def test_the_fingerprint_changes_with_encoder_projection_and_code() -> None:
    one, other = identity(2), Projection(np.eye(2, dtype=np.float32), np.array([0, 1e-6], np.float32))
    prints = [
        vectors_fingerprint("aaaa", one),
        vectors_fingerprint("bbbb", one),
        vectors_fingerprint("aaaa", other),
        vectors_fingerprint("aaaa", identity(2, code_bits=1)),
    ]
    assert len(set(prints)) == 4
    assert vectors_fingerprint("aaaa", identity(2)) == prints[0]


def test_another_projection_than_that_of_the_points_is_refused_naming_both() -> None:
    tensors = {"cnn.matrix": np.eye(2, dtype=np.float32), "cnn.offset": np.zeros(2, np.float32)}
    entry = EncoderEntry(name="e:cnn", vector="cnn", fingerprint="aaaa")
    old = Manifest(collection="c", encoders=(entry,), tensors=tensors)
    Version("v", old).check_fingerprints()  # as it was before there were fingerprints
    written = vectors_fingerprint("aaaa", old.projection_of(entry))
    signed = entry.model_copy(update={"vectors_fingerprint": written})
    new = old.model_copy(update={"encoders": (signed,)})
    Version("v", new).check_fingerprints()
    changed = new.model_copy(update={"tensors": tensors | {"cnn.offset": np.ones(2, np.float32)}})
    found = vectors_fingerprint("aaaa", changed.projection_of(entry))
    with pytest.raises(SimileError) as refused:
        Version("v", changed).check_fingerprints()
    assert found in str(refused.value)
    assert written in str(refused.value)


@pytest.mark.parametrize(
    "values", [np.linspace(1, 2, 12), np.arange(12) > 6, np.logspace(-9, 0, 12), np.repeat([1e-6, 1], 6)]
)
def test_nearest_rotation_is_that_of_the_singular_value_decomposition(values: np.ndarray) -> None:
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.normal(size=(12, 12)))[0] for _ in range(2))
    matrix = left * values @ right
    rotation = _nearest_rotation(matrix)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(12), atol=1e-6)
    np.testing.assert_allclose(np.trace(rotation.T @ matrix), values.sum(), rtol=1e-4)


def test_a_frame_keeps_cosines_and_makes_more_signs() -> None:
    raw = positive_vectors(n=200, d=32)
    few = fit_projection(raw, 8)
    many = fit_projection(raw, 8, bits=64)
    assert (few.dimension, many.dimension, many.bits) == (8, 64, 64)
    assert not many.codes_apart  # a code is the signs of the stored vector
    close = unit(few.apply(raw)) @ unit(few.apply(raw)).T
    assert np.allclose(unit(many.apply(raw)) @ unit(many.apply(raw)).T, close, atol=1e-4)

    def found(projection: Projection) -> float:
        """How many of the ten nearest by cosine are among the twenty nearest by signs."""
        signs = projection.codes(projection.apply(raw))
        rows = zip(close, signs @ signs.T, strict=True)
        return float(np.mean([len(set(np.argsort(-a)[1:11]) & set(np.argsort(-b)[1:21])) for a, b in rows]))

    assert found(many) > found(few) + 2  # of ten
    assert fit_projection(raw, 8, bits=8).dimension == fit_projection(raw, 8, bits=4).dimension == 8


def test_codes_of_their_own_are_not_touched_by_a_frame() -> None:
    raw = positive_vectors(n=200, d=32)
    plain, framed = fit_projection(raw, 8, code_bits=16), fit_projection(raw, 8, code_bits=16, bits=64)
    assert (framed.dimension, framed.bits, framed.codes_apart) == (64, 16, True)
    assert np.array_equal(plain.split(raw)[1], framed.split(raw)[1])


def test_the_rows_of_a_frame_are_orthonormal() -> None:
    frame = tight_frame(3, 8)
    assert np.allclose(frame @ frame.T, np.eye(3))


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"cnn.matrix": np.eye(2)},
        {"cnn.matrix": np.eye(2), "cnn.offset": np.zeros(3)},
        {"cnn.matrix": np.ones(2), "cnn.offset": np.zeros(2)},
        {"cnn.matrix": np.eye(2), "cnn.offset": np.zeros(2), "cnn.code_matrix": np.eye(2)},
    ],
)
def test_arrays_that_are_no_projection(tensors):
    with pytest.raises(
        SimileError, match="the projection of 'cnn' is incomplete; index the collection again"
    ):
        Projection.from_tensors(tensors, "cnn")


def test_damaged_arrays_are_a_sentence():
    from safetensors.numpy import save

    whole = save({"cnn.matrix": np.eye(2), "cnn.offset": np.zeros(2)})
    assert Projection.from_tensors(read_tensors("v", whole), "cnn").dimension == 2
    assert read_tensors("v", b"") == {}
    for data in (whole[:-1], whole[:20], b"\xff" * 64):
        with pytest.raises(SimileError, match="the projections of 'v' are damaged"):
            read_tensors("v", data)
