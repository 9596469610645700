"""Filters as they are written on a command line."""

import pytest

from pipeline.errors import SimileError
from pipeline.filter_texts import read_filters


def test_the_command_line_compares() -> None:
    asked = ["artist=Claude Monet", "artist=Goya", "year>=1900", "year!=1912", "Shot by=a=b"]
    assert read_filters(asked) == {
        "artist": {"any": ["Claude Monet", "Goya"]},
        "year": {"gte": "1900", "not": ["1912"]},
        "Shot by": {"any": ["a=b"]},
    }
    assert read_filters(['{"year": null, "tag": ["a"]}']) == {"year": {"any": [None]}, "tag": {"any": ["a"]}}
    for wrong in ("artist", "=x", "{nope", "year="):
        with pytest.raises(SimileError, match="--filter"):
            read_filters([wrong])
    with pytest.raises(SimileError, match="two bounds"):
        read_filters(["year>=1900", "year>=1950"])
