"""Search by words: a small CLIP with random weights, eight pictures that it embedded; page and programs."""

import base64
import io
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.encoders import load_encoder
from pipeline.points import RESERVED
from pipeline.projection import Projection
from pipeline.store import Manifest, open_store
from pipeline.store.protocol import vector_params
from tests.encoders.small_networks import save_tokenizer, save_transformers
from tests.page.conftest import running, status

COLOURS = ("red", "blue", "green", "yellow", "black", "white", "orange", "purple")
WORDS = "a red square"


def _png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(file, "PNG")
    return file.getvalue()


def _payload(colour: str) -> dict[str, Any]:
    own = {"thumbnail": base64.b64encode(_png(colour)).decode(), "thumbnail_type": "image/png"}
    return {"colour": colour, RESERVED: own}


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """Address of a demo over the pictures, and their colours in the order of their cosine to `WORDS`."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("clip")
    save_transformers("clip", folder)
    save_tokenizer("clip", folder)
    encoder = load_encoder(str(folder))
    vectors = encoder.encode([Image.new("RGB", (40, 40), colour) for colour in COLOURS])
    _fill(str(home), str(folder), encoder.fingerprint, vectors)
    text = encoder.encode_text([WORDS])[0]
    cosines = vectors @ text / np.linalg.norm(vectors, axis=1) / np.linalg.norm(text)
    with running("--home", str(home), "--limit", "0") as url:
        yield url, [COLOURS[i] for i in np.argsort(-cosines)]


def _fill(home: str, encoder: str, fingerprint: str, vectors: np.ndarray) -> None:
    size = vectors.shape[1]
    config = CollectionConfig(
        collection="squares", source="x", encoders=[EncoderConfig(name=encoder, vector="v")]
    )
    store, version = open_store(home), "squares__20260101T000000000000"
    fields = {"colour": models.PayloadSchemaType.KEYWORD}
    store.create(version, config, vector_params(config, {"v": size}, {"v_code": size}), fields)
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, colour)) for colour in COLOURS]
    store.upsert(
        version, ids, {"v": vectors, "v_code": Projection.codes(vectors)}, [_payload(c) for c in COLOURS]
    )
    store.finish(version)
    facts = {
        "collection": "squares",
        "title": "Squares",
        "filters": ["colour"],
        "encoders": [
            {
                "name": encoder,
                "vector": "v",
                "code": "v_code",
                "fingerprint": fingerprint,
                "dimension": size,
                "prepared_dimension": size,
                "text": True,
            }
        ],
        "search": {"oversampling": 4.0, "hnsw_ef": 128},
    }
    tensors = {"v.matrix": np.eye(size, dtype=np.float32), "v.offset": np.zeros(size, np.float32)}
    store.write_manifest(version, Manifest(**facts, tensors=tensors))
    store.switch("squares", version)


@pytest.mark.long
def test_a_program_finds_pictures_by_words(worded: tuple[str, list[str]]) -> None:
    url, nearest = worded
    slow = Client(url, verbose=False, httpx_kwargs={"timeout": 120})
    hits = slow.predict(WORDS, "squares", k=8, api_name="/search_text")["hits"]
    assert [hit["payload"]["colour"] for hit in hits] == nearest
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    some = slow.predict(WORDS, "squares", filters='{"colour": ["blue"]}', api_name="/search_text")["hits"]
    assert [hit["payload"]["colour"] for hit in some] == ["blue"]


@pytest.mark.browser
@pytest.mark.long
def test_words_search_show_and_are_put_away(browser: Any, worded: tuple[str, list[str]]) -> None:
    url, nearest = worded
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    page.locator("#examples .card").first.wait_for()
    box = page.locator("#words textarea, #words input").first
    box.fill(WORDS)
    box.press("Enter")
    status(page, "8 closest of 8")
    labels = page.locator("#search-hits .label").all_inner_texts()
    assert [label.lower() for label in labels] == nearest
    page.locator("#search-query .words", has_text=WORDS).wait_for()
    page.get_by_role("button", name="New search").click()
    page.locator("#examples .card").first.wait_for()
    page.wait_for_function("one => one.value === ''", arg=box.element_handle())
    assert not page.locator("#search-query .words").count() and not page.locator("#search-hits .card").count()
    page.locator("#examples .open").first.click()
    status(page, "7 closest of 8")
    box.fill(WORDS)
    box.press("Enter")
    page.locator("#search-query .words", has_text=WORDS).wait_for()
    page.get_by_role("button", name="Remove the words").click()
    page.locator("#search-query .words").wait_for(state="detached")
    page.close()
