"""Ways to break a job. Each breaks one, lets it go on, and says what that cost."""

import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import open_collection
from pipeline.indexing.crash_marks import MOST_DEATHS
from pipeline.search import Collection
from tests.chaos.dying import STAGES
from tests.chaos.jobs import JOB_SECONDS, Outcome, Place, kill_worker, settle, small_disk, wait_for
from tests.chaos.journal import DEADLY
from tests.chaos.loads import half_loaded, is_load, writer
from tests.stand_ins.qdrant import QdrantStandIn

__all__ = ["SCENARIOS", "SHORT", "Scenario"]

Scenario = Callable[[Place], Outcome]

READERS = 8
# It answers in this very process: with more readers a slow machine leaves it no time for the job's requests.
READERS_OF_STAND_IN = 2
SWITCHES = 3


def driver(place: Place) -> Outcome:
    """kill -9 of the driver, up to three times, at random moments between its start and its end."""
    outcome = Outcome("driver")
    for _ in range(place.random.randint(1, 3)):
        job = place.start()
        if place.random.random() < 0.7:  # most of the moments that matter come after the first staged part
            before = len(place.staged())
            wait_for(lambda before=before: len(place.staged()) > before, job)
        time.sleep(place.random.uniform(0, 3))
        outcome.faults += job.poll() is None
        outcome.killed += job.poll() is None
        job.kill()
        job.communicate()
    return settle(place, outcome, place.finish(place.start()))


def stages(place: Place) -> Outcome:
    """kill -9 of the driver at the beginning of each stage after the embedding; nothing is embedded again."""
    outcome = Outcome("stages")
    place.limit = 200
    with QdrantStandIn() as server:
        place.url = server.url if place.random.random() < 0.5 else None
        for stage in STAGES:
            job = place.start(dies_in=stage)
            _, said = job.communicate(timeout=JOB_SECONDS)
            assert job.returncode == -signal.SIGKILL, (stage, said[-3000:])
            outcome.faults += 1
        return settle(place, outcome, place.finish(place.start()))


def actor(place: Place) -> Outcome:
    """kill -9 of an actor that embeds; the job itself goes on."""
    outcome = Outcome("actor")
    job = place.start()
    if wait_for(lambda: bool(place.staged()), job):
        time.sleep(place.random.uniform(0, 0.5))
        outcome.killed += kill_worker(job, "EmbedActor")
        outcome.faults += outcome.killed
    return settle(place, outcome, place.finish(job))


def shaky_store(place: Place) -> Outcome:
    """A server that answers 500 or 429, stalls or drops the connection, for a third of all writes."""
    outcome = Outcome("shaky store")
    with QdrantStandIn() as server:
        place.url = server.url

        def fault(method: str, path: str):  # type: ignore[no-untyped-def]
            if not is_load(method, path) or (outcome.faults and place.random.random() > 1 / 3):
                return None  # the first write always meets one
            outcome.faults += 1
            return place.random.choice(["500", "429", "drop", "stall"])

        server.fault = fault
        return settle(place, outcome, place.finish(place.start()))


def store_away(place: Place) -> Outcome:
    """A server that refuses all writes, or all connections, until the job gives up; then the same again."""
    outcome = Outcome("store away")
    place.environment["SIMILE_STORE_PATIENCE"] = "2"
    with QdrantStandIn() as server:
        place.url = server.url
        goes = place.random.random() < 0.5

        def fault(method: str, path: str):  # type: ignore[no-untyped-def]
            if goes and not server.away and is_load(method, path):
                server.go_away()
            return "500" if is_load(method, path) else None

        server.fault = fault
        said = place.fail(place.start())
        outcome.faults += 1
        if server.away:
            server.come_back()
        assert "What is staged stays; to go on from there: python -m ray_jobs" in said, said
        server.fault = lambda method, path: None
        return settle(place, outcome, place.finish(place.start()))


def full_disk(place: Place) -> Outcome:
    """A home that is full after a few hundred rows; then a larger one."""
    outcome = Outcome("full disk")
    with small_disk(place.home, kilobytes=place.random.randint(2_500, 5_000)) as resize:
        if resize is None:
            outcome.kind = "full disk (not run: this user may not mount)"
            return outcome
        filler = place.home / "filler"
        said = _fill(place, filler)
        outcome.faults += 1
        outcome.killed += 1  # the units that found no room are not staged
        assert "disk is full" in said.lower() or "are free; free some space" in said, said
        filler.unlink(missing_ok=True)
        resize(500_000)
        return settle(place, outcome, place.finish(place.start()))


def _fill(place: Place, filler: Path) -> str:
    """Pass preflight's check of the disk, then take the space away from under the job."""
    raised = 60_000
    import subprocess

    subprocess.run(["mount", "-o", f"remount,size={raised}k", str(place.home)], check=True)
    job = place.start()
    wait_for(lambda: bool(place.staged()), job)
    free = shutil.disk_usage(place.home).free
    with suppress(OSError):  # the job was faster: the disk is full already
        filler.write_bytes(b"\0" * max(0, free - 100_000))
    return place.fail(job)


_DAMAGES = ("truncated", "random", "zero", "bomb", "extension", "mode")


def corrupt(place: Place) -> Outcome:
    """One picture in ten is damaged: each damaged one is a reject, and every other one a point."""
    outcome = Outcome("corrupt")
    pictures = place.folder / "pictures"
    pictures.mkdir()
    rows, bad = 120, 0
    for i in range(rows):
        pixels = np.random.default_rng([place.random.randint(0, 2**31), i]).integers(0, 256, (24, 24, 3))
        path = pictures / f"{i:03}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        if i % 10 == 0:
            outcome.faults += 1
            bad += _damage(path, _DAMAGES[i // 10 % len(_DAMAGES)], i, place)
    place.source, place.limit, place.max_reject_fraction = str(pictures), None, 0.2
    account = place.finish(place.start())
    assert account["rejected"] == bad, account
    assert account["written"] == rows - bad, account
    return settle(place, outcome, account)


def _damage(path: Path, how: str, number: int, place: Place) -> bool:
    """Damage a file; True if nothing can be made of it any more.

    No two come out alike: a picture in two units of one job is begun in both.

    Args:
        number: of the file.
    """
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "random":
        path.write_bytes(place.random.randbytes(500))
    elif how == "zero":
        path.write_bytes(b"\0" * number)
    elif how == "bomb":
        Image.new("1", (40_000 + number, 40_000)).save(path)
    elif how == "extension":
        Image.open(path).convert("RGB").save(path.with_suffix(".jpg"), quality=95)
        path.with_suffix(".jpg").rename(path)
        return False
    else:
        Image.open(path).convert("I;16").save(path)
        return False
    return True


def deadly(place: Place) -> Outcome:
    """A picture that kills each worker that decodes it: one reject, and every other picture a point."""
    outcome = Outcome("deadly picture")
    pictures = place.folder / "pictures"
    pictures.mkdir()
    rows = 150
    for i in range(rows):
        Image.new("RGB", (24, 24), (i, 90, 200)).save(pictures / f"{i:03}.png")
    with (pictures / f"{place.random.randrange(rows):03}.png").open("ab") as picture:
        picture.write(DEADLY)
    place.source, place.limit = str(pictures), None
    account = place.finish(place.start())
    assert (account["rejected"], account["written"]) == (1, rows - 1), account
    outcome.faults = outcome.killed = 2 + MOST_DEATHS  # its unit marked, its batch marked, itself marked
    return settle(place, outcome, account)


def switches(place: Place) -> Outcome:
    """Versions replace each other while eight readers search."""
    return _switched(place, Outcome("switches"))


def switches_on_server(place: Place) -> Outcome:
    """The same on a server, with two readers. Other projections, as it would take another credit in place."""
    with QdrantStandIn() as server:
        place.url = server.url
        return _switched(place, Outcome("switches on a server"), READERS_OF_STAND_IN)


def _switched(place: Place, outcome: Outcome, readers_at_once: int = READERS) -> Outcome:
    place.limit = 200
    account = place.finish(place.start())
    collection = open_collection("chaos", home=str(place.home), url=place.url)
    example = next(collection.ids())
    stop = threading.Event()
    readers = [
        threading.Thread(target=_read, args=(collection, example, stop, outcome), daemon=True)
        for _ in range(readers_at_once)
    ]
    for reader in readers:
        reader.start()
    for i in range(SWITCHES):
        place.credit = f"build {i}"  # every point changes, nothing is embedded
        place.dimension -= 4
        account = place.finish(place.start())
        outcome.faults += 1
        assert account["embedded"] == 0, account
        assert account["written"] == 200 - account["rejected"], account
    stop.set()
    for reader in readers:
        reader.join(30)
    assert collection.get(example).payload["_simile"]["credit"] == place.credit
    return settle(place, outcome, account)


def _read(collection: Collection, example: str, stop: threading.Event, outcome: Outcome) -> None:
    while not stop.is_set():
        try:
            hits, _ = collection.search_id(example, k=20)
        except Exception as error:
            outcome.failed_queries += 1
            print(f"a query failed: {type(error).__name__}: {error}", flush=True)
            continue
        credits = {hit.payload["_simile"]["credit"] for hit in hits}
        outcome.mixed_queries += len(credits) != 1 or len(hits) != 20
        time.sleep(0.01)


SCENARIOS: list[Scenario] = [
    driver, stages, half_loaded, switches, store_away, full_disk, actor, corrupt, deadly, writer, shaky_store,
    switches_on_server,
]  # fmt: skip
# One of each family: a process that is killed (at any moment, between two markers), a store that fails, a bad
# picture, readers during a switch.
SHORT: list[Scenario] = [driver, actor, half_loaded, store_away, deadly, switches_on_server]
