"""A job whose lock another one has taken stops embedding, and leaves alone what is the other's by now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cluster.failures import explained
from pipeline.encoders import describe_encoder
from pipeline.home import listed
from pipeline.indexing.crash_marks import Marks
from pipeline.indexing.embed import embed_units
from pipeline.locks.lease import Fence, LockLostError
from pipeline.locks.lock import Held
from pipeline.sources import resolve_source, units_of
from pipeline.staging.parts import Parts
from pipeline.staging.vectors import Staging
from tests.indexing.conftest import ENCODER, write_pictures


def fine() -> None:
    """The lock is held."""


def lost() -> None:
    raise LockLostError("taken over")


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize(("check", "noticed"), [(fine, lost), (lost, fine)])
def test_the_embed_stage_ends(tmp_path: Path, check: Callable[[], None], noticed: Callable[[], None]) -> None:
    source, home = resolve_source(str(write_pictures(tmp_path / "pictures", 1))), str(tmp_path / "home")
    parts = Parts(home, "colours")
    stagings = {ENCODER: Staging(home, "colours", describe_encoder(ENCODER).fingerprint)}
    marks = Marks.beside(parts)
    with marks.marked("of-the-other"):
        with pytest.raises(LockLostError, match="taken over"), explained("embed"):
            lock = Held(Fence(home, "colours"), check, noticed)
            embed_units(source, units_of(source), parts, stagings, lock=lock)
        assert len(listed(marks.folder)) == 1
