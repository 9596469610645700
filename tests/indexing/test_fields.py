"""Which columns become filters, and how those of an added source go together with what is there."""

from typing import Any

import datasets
import pytest

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.indexing.fields import filter_kinds, joined_kinds, new_kinds
from pipeline.sources import Source

TEXT, WHOLE, NUMBER, TEXTS = (
    FieldKind("text"),
    FieldKind("integer"),
    FieldKind("number"),
    FieldKind("text", many=True),
)


def config(**more: Any) -> CollectionConfig:
    return CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:v")], **more)


def source(*columns: str) -> Source:
    features = datasets.Features({name: datasets.Value("string") for name in columns})
    return Source("s", "parquet", "train", None, None, "image", features, columns, 1, None, (), "")


@pytest.mark.parametrize("name", ['a"b', "back\\slash", ""])
def test_a_name_that_qdrant_cannot_take_is_refused_before_the_work(name: str) -> None:
    with pytest.raises(SimileError, match="cannot be filtered"):
        filter_kinds(source("fine", name), config())
    assert filter_kinds(source("fine", name), config(filters=["fine"])) == {"fine": TEXT}


def test_a_column_of_simile_s_own_name_is_refused() -> None:
    with pytest.raises(SimileError, match="'_simile'"):
        filter_kinds(source("_simile"), config())


def test_another_source_need_not_have_the_named_columns() -> None:
    named = config(filters=["artist", "style"])
    with pytest.raises(SimileError, match=r"\['style'\] are not columns"):
        filter_kinds(source("artist", "title"), named)
    assert filter_kinds(source("artist", "title"), named, other_source=True) == {"artist": TEXT}
    assert filter_kinds(source("title"), named, other_source=True) == {"title": TEXT}
    assert filter_kinds(source("title"), config(filters=[])) == {}


def test_an_added_source_brings_its_columns() -> None:
    before, here = {"a": TEXT, "n": WHOLE, "t": TEXT}, {"n": NUMBER, "t": TEXTS, "b": TEXT}
    joined = joined_kinds(before, here, config())
    assert joined == {"a": TEXT, "n": NUMBER, "t": TEXTS, "b": TEXT}
    assert new_kinds(before, joined) == {"n": NUMBER, "b": TEXT}
    assert joined_kinds({"x": TEXT}, {"a": TEXT}, config(filters=["a"])) == {"a": TEXT}
    with pytest.raises(SimileError, match="'n' holds whole numbers in 'things' and text in this source"):
        joined_kinds(before, {"n": TEXT}, config())
    assert joined_kinds(before, {"n": TEXT}, config(), adding=False)["n"] == TEXT
