"""An index job goes on with a collection that was restored from a backup."""

from pathlib import Path

import pytest

from pipeline.backup import restore_collection, save_collection
from pipeline.errors import SimileError
from pipeline.store import open_store
from tests.indexing.conftest import Copied, Index, colours


@pytest.mark.long
def test_a_restored_collection_needs_nothing_to_be_written(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    home, source = copied
    archive, other = str(tmp_path / "archive"), tmp_path / "other"
    save_collection(open_store(str(home)), "colours", archive)
    restored = restore_collection(open_store(str(other)), archive)
    again = index(other, source)
    assert (again.written, again.skipped, again.version) == (0, 24, restored["version"])
    (source / "red" / "0.png").unlink()
    assert index(other, source, sync=True).removed == 1
    assert colours(other) == {"red": 7, "green": 8, "blue": 8}


@pytest.mark.long
def test_under_another_name_a_job_builds_the_collection_anew(
    index: Index, copied: Copied, tmp_path: Path
) -> None:
    home, source = copied
    store = open_store(str(home))
    save_collection(store, "colours", str(tmp_path / "archive"))
    restore_collection(store, str(tmp_path / "archive"), "others")
    with pytest.raises(
        SimileError, match="would be removed"
    ):  # the same pictures have other ids under this name
        index(home, source, collection="others")
    built = index(home, source, collection="others", replace=True)
    assert (built.written, built.kept) == (24, 0)
    assert store.count(store.aliases()["others"]) == 24
