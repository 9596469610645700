"""The lock on an object store: one holder, a number that only grows, and no write after it was lost."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest

from pipeline.errors import SimileError
from pipeline.locks import lease as lease_module
from pipeline.locks.fenced_store import WRITES, fenced
from pipeline.locks.lease import Holder, Lease, LockLostError
from pipeline.locks.lock import refuse_second_writer, writer_lock
from pipeline.store import open_store
from pipeline.store.protocol import Store
from tests.stand_ins.s3 import S3StandIn, serve_s3


@pytest.fixture(scope="module")
def server() -> Iterator[S3StandIn]:
    with S3StandIn() as server:
        yield server


@pytest.fixture
def home(server: S3StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(lease_module, "RENEWED_EVERY", 0.2)
    monkeypatch.setattr(lease_module, "WATCHED_FOR", 1.0)
    monkeypatch.setattr(lease_module, "SURE_FOR", 0.5)
    yield f"{serve_s3(server, monkeypatch)}/{tmp_path.name}"
    server.fault = lambda method, path: None


def taken(home: str, job: str) -> Lease:
    lease = Lease(home, "birds", Holder(job, 0, "machine", 1))
    assert lease.take() is None
    return lease


def test_each_holder_has_a_higher_number(home: str) -> None:
    numbers = []
    for job in "abc":
        lease = taken(home, job)
        numbers.append(lease.fence.number)
        lease.release()
    assert numbers == [1, 2, 3]


def test_who_renews_keeps_the_lock_and_who_does_not_loses_it(home: str) -> None:
    first, done = taken(home, "first"), threading.Event()

    def renew() -> None:
        while not done.wait(0.2):
            first.renew()

    thread = threading.Thread(target=renew)
    thread.start()
    second = Lease(home, "birds", Holder("second", 0, "elsewhere", 2))
    living = second.take()
    assert living is not None and living.job == "first"
    done.set()
    thread.join()
    assert second.take() is None  # after a second in which the first did not renew
    with pytest.raises(LockLostError, match=r"taken over 'birds' \(process 2 on elsewhere\)"):
        first.check()
    with pytest.raises(LockLostError):
        first.fence.check()
    second.check()
    second.fence.check()


def test_a_lock_that_was_deleted_is_told_as_that(home: str) -> None:
    lease = taken(home, "first")
    obstore.delete(lease_module.object_store(home), "locks/birds.json")
    with pytest.raises(LockLostError, match="The lock of 'birds' was deleted while this job held it"):
        lease.fence.check()
    with pytest.raises(LockLostError, match="The lock of 'birds' was deleted while this job held it"):
        lease.renew()


def test_the_last_renewal_of_a_killed_job_may_arrive_late(home: str) -> None:
    killed = taken(home, "killed")
    late = threading.Timer(0.5, killed.renew)
    late.start()
    taken(home, "next")
    late.join()


def test_of_two_that_take_it_at_once_one_gets_it(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.locks.lock.RENEWED_EVERY", 0.2)
    monkeypatch.setattr(lease_module, "WATCHED_FOR", 10.0)  # a busy machine may delay the winner's renewals
    together, refused = threading.Barrier(2), threading.Event()

    def take(_: int) -> bool:
        together.wait()
        try:
            with writer_lock(home, "birds"):
                refused.wait(60)
            return True
        except SimileError:
            refused.set()
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, range(2))) == [False, True]


@pytest.mark.parametrize("kind", ["before", "after"])
def test_an_answer_that_is_lost_costs_nothing(server: S3StandIn, home: str, kind: str) -> None:
    """A conditional write that was carried out is refused when it is repeated; it is still this job's."""
    failed: list[str] = []

    def fault(method: str, path: str) -> str | None:
        if method == "PUT" and len(failed) < 1:
            failed.append(path)
            return kind
        return None

    server.fault = fault
    lease = taken(home, "mine")
    failed.clear()
    lease.renew()
    failed.clear()
    lease.renew()
    lease.check()
    assert lease.fence.number == 1 and failed


def test_a_store_that_is_away_for_longer_than_the_lock_lasts_costs_nothing_if_nobody_took_it(
    server: S3StandIn, home: str
) -> None:
    lease = taken(home, "mine")
    time.sleep(1.2)  # no renewal
    lease.check()  # asks, and the object is unchanged


def test_a_bucket_that_is_away_while_a_job_writes_is_a_sentence(server: S3StandIn, home: str) -> None:
    lease = taken(home, "mine")
    server.fault = lambda method, path: "denied"
    time.sleep(0.6)  # the last renewal is too old to go on without asking
    for check in (lease.check, lease.fence.check):
        with pytest.raises(
            SimileError, match=r"home s3://\S+ does not answer, .* 'birds': .*; run it again when"
        ) as said:
            check()
        assert "\n" not in str(said.value) and not isinstance(said.value, LockLostError)


def test_a_job_whose_lock_was_lost_writes_nothing(home: str, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with writer_lock(home, "birds") as lock:
        guarded = fenced(store, lock.check)
        guarded.attach  # noqa: B018 (reading a method asks nothing)
        assert guarded.versions("birds") == []
    # The object of the lock is now that of another job.
    other = taken(home, "other")
    with pytest.raises(LockLostError):
        fenced(store, lock.fence.check).drop("birds__1")
    other.check()


def test_every_method_of_a_store_is_known_as_a_read_or_a_write() -> None:
    reads = {
        *("aliases", "versions", "read_manifest", "attachment", "release", "count", "query"),
        *("query_many", "retrieve", "scroll", "facet", "resident_bytes", "attachments", "payload_indexes"),
        *("finished", "check", "check_whole", "allows_exact", "most_ids", "writers", "payload_index_bytes"),
    }
    methods = {name for name in vars(Store) if not name.startswith("_")} - set(Store.__annotations__)
    assert methods == reads | WRITES


def test_an_object_that_is_no_lock_is_a_sentence(home: str) -> None:
    import obstore

    obstore.put(lease_module.object_store(home), "locks/birds.json", b"[1]")
    with pytest.raises(SimileError, match="lock is not readable"):
        Lease(home, "birds", Holder("mine", 0, "machine", 1)).take()


def hold(home: str, collection: str) -> None:
    with writer_lock(home, collection):
        pass


@pytest.mark.parametrize("use", [refuse_second_writer, hold])
def test_a_bucket_that_refuses_or_is_missing_is_a_sentence(
    server: S3StandIn, home: str, use: Callable[[str, str], None]
) -> None:
    with pytest.raises(
        SimileError, match=r"home s3://no-bucket/home cannot be used: .*docs/cluster.md"
    ) as told:
        use("s3://no-bucket/home", "birds")
    assert "\n" not in str(told.value)
    server.fault = lambda method, path: "denied"
    with pytest.raises(SimileError, match=rf"home {home} cannot be used: .*403") as told:
        use(home, "birds")
    assert "\n" not in str(told.value) and "AWSAccessKeyId" not in str(told.value)


def test_a_bucket_that_nobody_serves_is_a_sentence(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SimileError, match=rf"home {home} cannot be used: the lock cannot be read"):
        refuse_second_writer(home, "birds")
