"""Pictures that workers die of are found by the marks that stay."""

from pathlib import Path

import pytest

from pipeline.indexing.crash_marks import Marks


def die(marks: Marks, name: str) -> int:
    """Begin with `name` and leave the mark behind, as a killed process does."""
    with marks.marked(name) as deaths:
        left = list(Path(marks.folder).iterdir())
    for mark in left:
        mark.touch()
    return deaths


def test_deaths_are_counted_by_name_and_forgotten_after_success(tmp_path: Path) -> None:
    marks = Marks(str(tmp_path / "at-work"))
    assert [die(marks, "a"), die(marks, "a")] == [0, 1]
    with marks.marked("b") as deaths:
        assert deaths == 0
    with marks.marked("a") as deaths:
        assert deaths == 2
    with marks.marked("a") as deaths:
        assert deaths == 0


def test_an_exception_is_no_death(tmp_path: Path) -> None:
    marks = Marks(str(tmp_path / "at-work"))
    with pytest.raises(OSError), marks.marked("a"):
        raise OSError("full")
    with marks.marked("a") as deaths:
        assert deaths == 0


def test_clearing_forgets_all(tmp_path: Path) -> None:
    marks = Marks(str(tmp_path / "at-work"))
    marks.clear()  # nothing was ever marked
    die(marks, "a")
    marks.clear()
    with marks.marked("a") as deaths:
        assert deaths == 0


def test_a_mark_that_another_job_took_away_is_no_error(tmp_path: Path) -> None:
    marks = Marks(str(tmp_path / "at-work"))
    die(marks, "a")
    with marks.marked("a") as deaths:
        assert deaths == 1
        marks.clear()
