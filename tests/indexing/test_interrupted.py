"""Jobs that meet rejects, a store that goes away or another writer go on where they were."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline import open_collection
from pipeline.encoders import describe_encoder
from pipeline.errors import SimileError
from pipeline.locks.lock import writer_lock
from pipeline.staging.ids import id_texts
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging
from pipeline.store import open_store
from pipeline.store.embedded import EmbeddedStore
from ray_jobs.rejects import main as list_rejects
from tests.indexing.conftest import ENCODER, Copied, Index
from tests.sources.conftest import write_mirror
from tests.stand_ins.qdrant import Fault, QdrantStandIn


@pytest.mark.long
def test_an_interrupted_load_goes_on_where_it_was(index: Index, tmp_path: Path, monkeypatch) -> None:
    home, source = tmp_path / "home", write_mirror(tmp_path / "source", [8, 9, 10, 11])
    monkeypatch.setattr("pipeline.indexing.load._FLUSHED_EVERY", 5)
    upsert, sent = EmbeddedStore.upsert, []

    def dies_after_two(store, version, ids, *rest):  # type: ignore[no-untyped-def]
        if "preflight" not in version:
            sent.append(list(ids))
            if len(sent) == 3:
                raise OSError(5, "Input/output error")
        upsert(store, version, ids, *rest)

    monkeypatch.setattr(EmbeddedStore, "upsert", dies_after_two)
    with pytest.raises(SimileError, match=r"stage load stopped: .*Input/output.*What is staged stays"):
        index(home, source)
    unfinished = open_store(str(home)).versions("colours")[-1]
    account = index(home, source)
    assert account.version == unfinished
    assert account.rows["load"] == 38 - len(sent[0]) - len(sent[1])
    assert (account.written, account.skipped, account.embedded) == (38, 0, 0)
    assert not set(sent[0] + sent[1]) & {point for batch in sent[3:] for point in batch}


def test_rejects_are_listed_and_tried_again_only_when_asked(index: Index, copied: Copied, capsys) -> None:
    home, source = copied
    (source / "blue" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not really")
    shutil.copy(source / "blue" / "broken.png", source / "red" / "broken.png")  # a repeat, rejected as well
    lenient = {"max_reject_fraction": 0.1}
    first = index(home, source, **lenient)
    assert (first.rejected, first.skipped, len(first.actors)) == (2, 24, 1)
    again = index(home, source, **lenient)
    assert (again.rejected, again.actors) == (2, {})
    retried = index(home, source, retry_rejects=True, **lenient)
    assert retried.rejected == 2
    assert [actor.rows for actor in retried.actors.values()] == [1]  # this row and no other
    list_rejects(["colours", "--home", str(home), "--json"])
    row, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["place"], row["stage"]) == ("blue/broken.png:0", "decode")
    assert (other["id"], other["place"]) == (row["id"], "red/broken.png:0")
    assert bytes.fromhex(row["first_bytes"]).startswith(b"\x89PNG")
    assert row["reason"]


def test_a_row_that_one_encoder_cannot_take_is_written_for_none(index: Index, copied: Copied) -> None:
    home, source = copied
    description = describe_encoder(ENCODER)
    staging = Staging(str(home), "colours", description.fingerprint)
    (unit,) = staging.names()
    found = staging.read(unit)
    first, *others = id_texts(found.words)
    staging.write(unit, others, found.vectors[1:], [Reject(first, "embed", "gives NaN or infinity")])
    account = index(home, source, projection={"dimension": 8})
    assert (account.source, account.written, account.rejected) == (24, 23, 1)
    assert open_collection("colours", home=str(home)).count == 23


@pytest.mark.long
def test_a_store_that_goes_away_keeps_what_is_staged(
    index: Index, indexed: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMILE_STORE_PATIENCE", "1")
    _, source = indexed
    with QdrantStandIn() as server:
        server.fault = lambda method, path: "drop" if "colours__2" in path and "points" in path else None
        with pytest.raises(SimileError, match=r"did not answer for 1 s; try again"):
            index(tmp_path, source, url=server.url)
        server.fault = lambda method, path: None
        account = index(tmp_path, source, url=server.url)
        assert (account.embedded, account.written) == (0, 24)


@pytest.mark.long
def test_additions_to_a_server_go_on_by_markers_and_read_no_point(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMILE_STORE_PATIENCE", "1")
    home, source = tmp_path / "home", write_mirror(tmp_path / "source", [30])
    written: list[str] = []
    scrolled: list[str] = []

    def only_one_more(method: str, path: str) -> Fault | None:
        points = "colours__2" in path and "preflight" not in path
        if points and path.endswith("/points/scroll"):
            scrolled.append(path)
        if points and method == "PUT" and path.endswith("/points"):
            written.append(path)
            return "500" if len(written) > 1 else None
        return None

    with QdrantStandIn() as server:
        server.fault = lambda method, path: only_one_more(method, path) and None  # counts, and breaks nothing
        first = index(home, source, url=server.url)
        of_the_check = len(scrolled)  # queries and the sample of the calibration
        shutil.rmtree(source)
        write_mirror(source, [30, 40, 50])
        written.clear()
        server.fault = only_one_more
        with pytest.raises(SimileError, match=r"answered 500 for 1 s; try again when it is back: \w+ \w+\.$"):
            index(home, source, url=server.url)
        assert open_store(url=server.url).count(first.version) in (30, 30 + 40, 30 + 50)
        written.clear()
        before = len(scrolled)
        server.fault = lambda method, path: only_one_more(method, path) and None
        account = index(home, source, url=server.url)
        assert len(written) == 2  # of three units; the first file, too, has another name now
        assert (account.version, account.embedded, account.written) == (first.version, 0, 120)
        assert len(scrolled) - before == of_the_check
        store = open_store(url=server.url)
        assert (store.count(account.version), store.read_manifest(account.version).rows) == (120, 120)
        assert index(home, source, url=server.url).written == 0


def test_one_writer_at_a_time(index: Index, copied: Copied) -> None:
    home, source = copied
    with (
        writer_lock(str(home), "colours"),
        pytest.raises(SimileError, match=r"Another job is writing 'colours'"),
    ):
        index(home, source)
    assert index(home, source).skipped == 24  # the lock went with its holder
