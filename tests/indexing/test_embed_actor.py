"""The actor of the embed stage, without Ray Data around it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.encoders import describe_encoder
from pipeline.indexing.embed_actor import EmbedActor, Missing, Work
from pipeline.ray_blocks import blocks_of
from pipeline.sources import Source, Unit, for_tasks, read_unit, resolve_source, units_of
from pipeline.staging.known import known_pictures
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from tests.indexing.conftest import ENCODER, write_pictures
from tests.sources.conftest import write_mirror


@pytest.mark.usefixtures("ray_here")
def test_a_unit_that_is_sent_twice_is_embedded_once(tmp_path: Path, monkeypatch) -> None:
    source, home = resolve_source(str(write_pictures(tmp_path / "pictures", 2))), str(tmp_path / "home")
    units, parts = units_of(source), Parts(home, "colours")
    stagings = {ENCODER: Staging(home, "colours", describe_encoder(ENCODER).fingerprint)}
    known = known_pictures(parts, stagings, False, set())
    (block,) = blocks_of([Missing(unit, 1, True) for unit in units])
    written: list[str] = []
    write = Parts.write
    monkeypatch.setattr(Parts, "write", lambda *given: (written.append(given[1]), write(*given))[1])
    actor = EmbedActor(Work(for_tasks(source), parts, stagings, None), 1, 6)
    with ThreadPoolExecutor(2) as pool:  # the second while the first is at work
        first, second = pool.map(lambda _: actor(block, known), range(2))
    assert first.equals(second)
    assert first.equals(actor(block, known))
    assert written == [units[0].name]
    assert first["embedded"].to_pylist() == [6]


@pytest.mark.usefixtures("ray_here")
def test_of_units_that_are_sent_together_the_staged_ones_are_not_embedded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, home = resolve_source(str(write_mirror(tmp_path / "source", [3, 3, 3]))), str(tmp_path / "home")
    units, parts = units_of(source), Parts(home, "colours")
    staging = Staging(home, "colours", describe_encoder(ENCODER).fingerprint)
    work = Work(for_tasks(source), parts, {ENCODER: staging}, None)
    known = known_pictures(parts, work.stagings, False, set())  # as the job found it
    read: list[str] = []

    def noted(source: Source, unit: Unit, columns: Sequence[str]) -> Iterator[pa.Table]:
        read.append(unit.name)
        return read_unit(source, unit, columns)

    monkeypatch.setattr("pipeline.indexing.embed_actor.read_unit", noted)
    monkeypatch.setattr("pipeline.ray_blocks._MOST_BLOCKS", 1)

    def embedded(units: Sequence[Unit], *, with_rows: bool = True) -> list[int]:
        """Of each unit, by an actor that is new."""
        actor = EmbedActor(work, 1, 9)
        (block,) = blocks_of([Missing(unit, 1, with_rows) for unit in units])
        said = [actor(block.slice(at, 1), known) for at in range(len(units))]
        assert [each["rows"].to_pylist() for each in said] == [[3]] * len(units)
        return [count for each in said for count in each["embedded"].to_pylist()]

    assert embedded(units[:2]) == [3, 3]  # and dies of the third
    assert embedded(units) == [0, 0, 3]
    assert read == [unit.name for unit in units]
    Path(f"{staging.folder}/{units[0].name}.parquet").unlink()
    assert embedded(units[:2], with_rows=False) == [3, 0]


@pytest.mark.usefixtures("ray_here")
def test_a_failure_is_told_to_everyone_who_asks_for_the_unit(tmp_path: Path, monkeypatch) -> None:
    source, home = resolve_source(str(write_pictures(tmp_path / "pictures", 1))), str(tmp_path / "home")
    parts = Parts(home, "colours")
    stagings = {ENCODER: Staging(home, "colours", describe_encoder(ENCODER).fingerprint)}
    known = known_pictures(parts, stagings, False, set())
    (block,) = blocks_of([Missing(unit, 1, True) for unit in units_of(source)])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Parts, "write", full)
    actor = EmbedActor(Work(for_tasks(source), parts, stagings, None), 1, 3)
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            actor(block, known)
