"""The actor of the embed stage, without Ray Data around it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.encoders import describe_encoder
from pipeline.indexing.embed_actor import EmbedActor, Work
from pipeline.sources import for_tasks, resolve_source, units_of
from pipeline.sources.rows import unit_blocks
from pipeline.staging.known import known_pictures
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from tests.indexing.conftest import ENCODER, write_pictures


@pytest.mark.usefixtures("ray_here")
def test_a_unit_that_is_sent_twice_is_embedded_once(tmp_path: Path, monkeypatch) -> None:
    source, home = resolve_source(str(write_pictures(tmp_path / "pictures", 2))), str(tmp_path / "home")
    units, parts = units_of(source), Parts(home, "colours")
    stagings = {ENCODER: Staging(home, "colours", describe_encoder(ENCODER).fingerprint)}
    known = known_pictures(parts, stagings, False, set())
    (block,) = unit_blocks(units, [{"needs": 1, "with_rows": True}])
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
def test_a_failure_is_told_to_everyone_who_asks_for_the_unit(tmp_path: Path, monkeypatch) -> None:
    source, home = resolve_source(str(write_pictures(tmp_path / "pictures", 1))), str(tmp_path / "home")
    parts = Parts(home, "colours")
    stagings = {ENCODER: Staging(home, "colours", describe_encoder(ENCODER).fingerprint)}
    known = known_pictures(parts, stagings, False, set())
    (block,) = unit_blocks(units_of(source), [{"needs": 1, "with_rows": True}])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Parts, "write", full)
    actor = EmbedActor(Work(for_tasks(source), parts, stagings, None), 1, 3)
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            actor(block, known)
