"""Pictures that are deleted by hand stay away until they are restored."""

import hashlib
import json

import pytest

from pipeline.editing.delete import delete_points
from pipeline.errors import SimileError
from pipeline.points import point_id
from pipeline.store import open_store
from ray_jobs import delete
from tests.indexing.conftest import Copied, Index, colours


def test_delete_by_id_and_filter_until_restored(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    store = open_store(str(home))
    red = point_id("colours", hashlib.sha256((source / "red" / "0.png").read_bytes()).hexdigest())
    assert delete_points(store, "colours", [red])["deleted"] == 1
    delete.main(["colours", "--filter", "label=blue", "--home", str(home)])
    assert json.loads(capsys.readouterr().out)["deleted"] == 8
    assert colours(home) == {"red": 7, "green": 8}
    for nothing, sentence in (
        (["--id", "nobody"], "'nobody' is no id of a point"),
        (["--filter", "label"], "must be FIELD=VALUE"),
        ([], "Name what to delete"),
    ):
        with pytest.raises(SystemExit):
            delete.main(["colours", *nothing, "--home", str(home)])
        assert sentence in capsys.readouterr().err
    with pytest.raises(SimileError, match="Nothing in 'colours' matches"):
        delete_points(store, "colours", [red])
    with pytest.raises(SimileError, match="no filter field 'artist'; it has: label"):
        delete_points(store, "colours", filters={"artist": ["x"]})
    left_out = index(home, source)
    assert (left_out.written, left_out.skipped) == (0, 24)
    assert colours(home) == {"red": 7, "green": 8}
    rebuilt = index(home, source, projection={"dimension": 8})
    assert (rebuilt.written, rebuilt.skipped) == (15, 9)
    assert index(home, source, projection={"dimension": 8}).written == 0  # a rebuild does not forget them
    delete.main(["colours", "--restore", "--home", str(home)])
    assert json.loads(capsys.readouterr().out)["restored"] == 9
    back = index(home, source, projection={"dimension": 8})
    assert (back.written, back.embedded) == (9, 0)
    assert colours(home) == {"red": 8, "green": 8, "blue": 8}
