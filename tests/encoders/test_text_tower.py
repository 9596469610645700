"""Text halves: by value against the whole model of transformers, with tokenizers in their real layout."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.encoders.text_tower import TextTower
from pipeline.errors import SimileError
from tests.encoders.small_networks import WORDS, save_timm, save_tokenizer, save_transformers

TEXTS = ["a red square", "the blue dog on the grass", "sun"]
# As their cards and tokenizers say: SigLIP reads its padding to 64 tokens (here 16), CLIP has none to read.
PADDING = {"clip": {"padding": True}, "siglip": {"padding": "max_length", "max_length": 16}}


@pytest.mark.parametrize("kind", PADDING)
def test_the_vector_of_a_text_is_that_of_the_whole_model(kind: str, tmp_path: Path) -> None:
    model = save_transformers(kind, tmp_path)
    save_tokenizer(kind, tmp_path)
    encoder = load_encoder(str(tmp_path))
    assert encoder.description.text and describe_encoder(str(tmp_path)).text
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path)(
        TEXTS, return_tensors="pt", truncation=True, **PADDING[kind]
    )
    if kind == "siglip":
        tokens.pop("attention_mask", None)  # the real tokenizers do not make one
    with torch.inference_mode():
        expected = model.get_text_features(**tokens).pooler_output.numpy()
    vectors = encoder.encode_text(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (3, encoder.dimension))
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(vectors, axis=0).max() > 1e-3  # different words, different vectors
    for text, vector in zip(TEXTS, vectors, strict=True):  # alone as in company
        np.testing.assert_allclose(encoder.encode_text([text])[0], vector, rtol=1e-4, atol=1e-5)
    assert encoder.encode_text([]).shape == (0, encoder.dimension)
    assert np.isfinite(encoder.encode_text([WORDS * 50, ""])).all()


def test_words_do_not_change_the_fingerprint(tmp_path: Path) -> None:
    save_transformers("clip", tmp_path)
    before = describe_encoder(str(tmp_path))
    assert not before.text  # no tokenizer
    save_tokenizer("clip", tmp_path)
    assert describe_encoder(str(tmp_path)).fingerprint == before.fingerprint


def test_the_text_half_is_loaded_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_transformers("clip", tmp_path)
    save_tokenizer("clip", tmp_path)
    made = []
    monkeypatch.setattr(TextTower, "__init__", lambda self, model, tokenizer: made.append(model))
    monkeypatch.setattr(TextTower, "__call__", lambda self, texts: np.zeros((len(texts), 24)))
    encoder = load_encoder(str(tmp_path))
    assert made == []
    encoder.encode_text(["a"])
    encoder.encode_text(["b"])
    assert len(made) == 1


def test_encoders_that_know_no_words(tmp_path: Path) -> None:
    save_timm("resnet18", tmp_path)
    encoder = load_encoder(str(tmp_path))
    assert not encoder.description.text
    with pytest.raises(SimileError, match="does not understand words; choose a CLIP or SigLIP"):
        encoder.encode_text(["a red square"])


def test_a_tokenizer_that_cannot_be_read(tmp_path: Path) -> None:
    save_transformers("clip", tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(SimileError, match=r"the text half of .* cannot be loaded"):
        load_encoder(str(tmp_path)).encode_text(["a"])
