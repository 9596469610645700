"""What a collection's YAML may say about vectors, and what Qdrant is told."""

from pathlib import Path
from typing import Any

import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, QuantizationConfig, SearchConfig, load_config
from pipeline.errors import SimileError


def load(tmp_path: Path, section: str) -> CollectionConfig:
    path = tmp_path / "things.yaml"
    path.write_text(f"collection: things\nsource: x\nencoders: [{{name: 'e:cnn'}}]\n{section}\n")
    return load_config(path)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (
            "quantization: {kind: scalar, query_bits: 8}",
            "'scalar' does not take query_bits; it takes quantile",
        ),
        ("quantization: {kind: none, bits: 1}", "'none' does not take bits; it takes nothing else"),
        ("quantization: {kind: binary, bits: 4}", "'binary' has 1, 1.5, 2 bits a component, not 4"),
        ("quantization: {kind: turbo, bits: 3}", "'turbo' has 1, 1.5, 2, 4 bits a component, not 3"),
        ("quantization: {kind: octal}", "quantization.kind: Input should be 'binary', 'turbo'"),
        ("quantization: {kind: product, compression: x5}", "quantization.compression"),
        ("quantization: {bit: 1}", "unknown key 'quantization.bit'; known keys: kind, bits"),
        ("projection: {bits: 100}", "projection.bits is 100, fewer than the 512 components"),
        ("projection: {kind: none, bits: 600}", "projection.bits needs a projection"),
        ("projection: {code_bits: 100}", "projection.code_bits: Input should be 64, 128, 256 or 512"),
        ("search: {oversampling: 0.5}", "search.oversampling"),
        ("hnsw: {m: 2}", "hnsw.m"),
        ("hnsw_m: 16", "unknown key 'hnsw_m'; known keys: collection"),
        ("encoders: [{name: a, vektor: b}]", "unknown key 'encoders.0.vektor'; known keys: name, vector"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(tmp_path: Path, section: str, sentence: str) -> None:
    with pytest.raises(SimileError) as refused:
        load(tmp_path, section)
    assert sentence in str(refused.value)


def test_the_default_is_64_bytes_a_vector_and_64_a_code(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    wanted = config.quantization.to_qdrant()
    assert isinstance(wanted, models.BinaryQuantization)
    assert wanted.binary.encoding == models.BinaryQuantizationEncoding.ONE_BIT
    assert wanted.binary.query_encoding == models.BinaryQuantizationQueryEncoding.SCALAR8BITS
    assert wanted.binary.always_ram
    assert config.quantization.code_bytes(config.stored_dimension(1280)) == 64
    assert config.stored_dimension(100) == 512  # a frame gives few components as many signs
    assert config.projection.code_bits == 8 * 64


@pytest.mark.parametrize(
    ("settings", "qdrant"),
    [
        (
            {"kind": "binary", "bits": 1.5, "query_bits": 1},
            {"encoding": "one_and_half_bits", "query_encoding": "binary"},
        ),
        (
            {"kind": "binary", "bits": 2, "query_bits": 4},
            {"encoding": "two_bits", "query_encoding": "scalar4bits"},
        ),
        ({"kind": "turbo", "bits": 1.5}, {"bits": "bits1_5"}),
        ({"kind": "scalar"}, {"type": "int8", "quantile": 0.99}),
        ({"kind": "product", "compression": "x64"}, {"compression": "x64"}),
    ],
)
def test_each_kind_in_qdrants_words(settings: dict[str, Any], qdrant: dict[str, Any]) -> None:
    wanted = QuantizationConfig(**settings).to_qdrant()
    assert wanted is not None
    (said,) = wanted.model_dump(mode="json", exclude_none=True).values()
    assert said == qdrant | {"always_ram": True, "memory": "pinned"}


def test_no_projection_in_a_word(tmp_path: Path) -> None:
    assert load(tmp_path, "projection: none").projection.kind == "none"


def test_no_quantization() -> None:
    assert QuantizationConfig(kind="none").to_qdrant() is None
    assert QuantizationConfig(kind="none").code_bytes(512) == 2048


def test_what_was_dumped_can_be_read_again() -> None:
    for kind in ("binary", "turbo", "scalar", "product", "none"):
        config = QuantizationConfig(kind=kind)  # type: ignore[arg-type]
        assert QuantizationConfig.model_validate(config.model_dump()) == config


def test_a_query_rescores_and_looks_further_only_where_it_helps() -> None:
    search = SearchConfig(oversampling=3, hnsw_ef=64)
    cosine = search.to_qdrant(200, filtered=True)
    assert (cosine.hnsw_ef, cosine.exact) == (200, False)  # never narrower than k
    assert cosine.quantization == models.QuantizationSearchParams(
        ignore=False, rescore=True, oversampling=3.0
    )
    assert cosine.acorn == models.AcornSearchParams(enable=True, max_selectivity=0.4)
    assert search.to_qdrant(10).acorn is None
    filtered, free = search.to_qdrant(10, filtered=True), search.to_qdrant(10)
    assert (filtered.hnsw_ef, free.hnsw_ef) == (128, 64)  # neighbours that pass lie farther apart
    assert filtered.quantization and filtered.quantization.oversampling == 12.8
    hamming = search.to_qdrant(10, metric="hamming")
    assert hamming.quantization == models.QuantizationSearchParams(ignore=False, rescore=False)
    assert search.to_qdrant(10, exact=True).exact


def test_only_binary_codes_need_more_components_than_are_kept(tmp_path: Path) -> None:
    turbo = load(tmp_path, "projection: {dimension: 112}\nquantization: {kind: turbo}")
    assert (turbo.stored_bits, turbo.stored_dimension(256)) == (None, 112)
    asked = load(tmp_path, "projection: {dimension: 112, bits: 256}\nquantization: {kind: turbo}")
    assert asked.stored_dimension(256) == 256
    raw = load(tmp_path, "projection: none")
    assert (raw.stored_bits, raw.stored_dimension(384)) == (None, 384)
