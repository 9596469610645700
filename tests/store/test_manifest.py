"""What a version says of itself is read as it was written, by this version of Simile and by the first one."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.store.manifest import EncoderEntry, Manifest, read_manifest
from pipeline.store.measured import ResidentBytes

FIRST = Path(__file__).parent / "manifest-of-0.1.0.json"  # of the samples, with shortened calibrations


def test_a_manifest_of_the_first_version_is_read() -> None:
    manifest = read_manifest("wikiart__1", FIRST.read_bytes(), {})
    entry = manifest.encoder()
    assert (manifest.collection, manifest.title, manifest.rows) == ("wikiart", "WikiArt", 40)
    assert manifest.filters == ("artist", "genre", "style")
    assert (entry.name, entry.vector, entry.named_vector("hamming")) == ("weights:art-cnn", "cnn", "cnn_code")
    assert (entry.prepared_dimension, entry.code_bits, entry.hash_bits) == (39, 39, 0)
    assert manifest.quantization and manifest.quantization.kind == "turbo"
    assert manifest.account and (manifest.account.written, manifest.account.rejects) == (40, {})
    assert entry.calibration and entry.calibration.of("cosine").threshold == 0.136247
    assert entry.measured and entry.measured.bytes
    assert (entry.measured.bytes.total, entry.measured.bytes.found_in) == (34.0, "estimate")


def test_what_is_written_is_read_and_says_its_schema() -> None:
    size = ResidentBytes(vector=64, code=16, links=0, total=80, found_in="files")
    manifest = Manifest(collection="things", encoders=(EncoderEntry(name="e:cnn", vector="cnn"),), rows=3)
    tensors = {"cnn.matrix": np.eye(2, dtype=np.float32)}
    read = read_manifest("things__1", manifest.to_json(), tensors)
    assert read.model_dump() == manifest.model_dump()
    assert read.tensors["cnn.matrix"] is tensors["cnn.matrix"]
    told = json.loads(manifest.to_json())
    assert told["schema_version"] == 2 and "tensors" not in told
    assert ResidentBytes.model_validate_json(size.model_dump_json(by_alias=True)) == size


def test_unknown_keys_are_skipped_and_a_newer_schema_is_refused() -> None:
    text = json.dumps({"collection": "things", "hue": 7, "search": {"oversampling": 3, "later": True}})
    assert read_manifest("things__1", text, {}).search.oversampling == 3
    newer = json.dumps({"collection": "things", "schema_version": 99})
    with pytest.raises(SimileError, match=r"'things__1' cannot be read: .* written by a newer Simile"):
        read_manifest("things__1", newer, {})


def test_a_damaged_manifest_is_one_sentence() -> None:
    with pytest.raises(SimileError, match=r"'things__1' cannot be read: .*--rollback"):
        read_manifest("things__1", '{"collection": "thi', {})
