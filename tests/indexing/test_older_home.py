"""A home as Simile 0.1.0 left it: its staged vectors are taken over by id, and its collections go on."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.encoders import describe_encoder
from pipeline.indexing.record import forget_record
from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from pipeline.store import open_store
from tests.indexing.conftest import COLOURS, ENCODER, Copied, Index, colours, picture


def as_older(home: Path) -> None:
    """Turn all parts of a home into those of 0.1.0, and forget which units its versions are made of."""
    parts = Parts(str(home), "colours")
    staging = Staging(str(home), "colours", describe_encoder(ENCODER).fingerprint)
    for number, unit in enumerate(sorted(parts.names())):
        rows, vectors = parts.read(unit), staging.read(unit)
        rows = rows.filter(rows["width"].is_valid())
        words = id_words(rows["id"])
        half = vectors.vectors[vectors.at(words)]
        columns = {
            "id": id_texts(words),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(half.reshape(-1)), half.shape[1]),
        }
        for name in ("thumbnail", "thumbnail_type", "width", "height"):
            columns[name] = rows[name].combine_chunks()
        pq.write_table(pa.table(columns), f"{staging.folder}/{number:032x}.parquet")
        Path(f"{staging.folder}/{unit}.parquet").unlink()
    shutil.rmtree(parts.folder)
    store = open_store(str(home))
    forget_record(store, store.aliases()["colours"])


def test_what_an_earlier_version_staged_is_not_embedded_again(index: Index, copied: Copied) -> None:
    home, source = copied
    as_older(home)
    picture(COLOURS["red"], 99).save(source / "red" / "new.png")
    account = index(home, source)
    assert (account.embedded, account.written, account.skipped) == (1, 1, 24)
    assert colours(home) == {"red": 9, "green": 8, "blue": 8}


@pytest.mark.long
def test_pictures_that_are_gone_stay_in_a_collection_of_an_earlier_version(
    index: Index, copied: Copied
) -> None:
    home, source = copied
    as_older(home)
    shutil.rmtree(source / "blue")
    kept = index(home, source)
    assert (kept.embedded, kept.written, kept.kept) == (0, 0, 8)
    rebuilt = index(home, source, projection={"dimension": 8})
    assert (rebuilt.embedded, rebuilt.written, rebuilt.kept) == (0, 16, 8)
    assert colours(home) == {"red": 8, "green": 8, "blue": 8}
    assert index(home, source, projection={"dimension": 8}).written == 0
