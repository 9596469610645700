"""An actor on a node that joined later, and does not see the home, ends the job with a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.cluster.failures import explained
from pipeline.encoders import describe_encoder
from pipeline.errors import SimileError
from pipeline.indexing import embed
from pipeline.sources import resolve_source, units_of
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from tests.indexing.conftest import ENCODER, write_pictures


@contextmanager
def elsewhere(home: str) -> Iterator[str]:
    """The probe as a node sees it whose folder of that name is another one."""
    yield f"{home}/.reached-on-another-machine"


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("joined", [False, True])
def test_nothing_is_staged_where_the_driver_does_not_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joined: bool
) -> None:
    source, home = resolve_source(str(write_pictures(tmp_path / "pictures", 1))), tmp_path / "home"
    parts = Parts(str(home), "colours")
    stagings = {ENCODER: Staging(str(home), "colours", describe_encoder(ENCODER).fingerprint)}
    if not joined:
        assert embed.embed_units(source, units_of(source), parts, stagings).embedded == 3
        assert not list(home.glob(".reached-*"))
        return
    monkeypatch.setattr(embed, "probe", elsewhere)
    with (
        pytest.raises(SimileError, match=rf"joined and does not see the home {home}; use a shared folder"),
        explained("embed"),
    ):
        embed.embed_units(source, units_of(source), parts, stagings)
    assert not parts.names()
