"""The benchmark of search_many, in its short form."""

from typing import Any

import pytest

from benchmarks import search_many


@pytest.mark.long
def test_both_ways_are_measured_over_the_same_pictures(capsys: Any) -> None:
    search_many.main(["--short"])
    printed = capsys.readouterr().out
    assert "embed loop" in printed and "search_many" in printed
