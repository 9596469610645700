"""A whole job whose source and home are in a bucket: resumed, added to, one writer at a time, with faults."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline import open_collection
from pipeline.home import write_file
from pipeline.locks.lock import writer_lock
from tests.indexing.conftest import ENCODER, picture, write_pictures
from tests.stand_ins.qdrant import QdrantStandIn
from tests.stand_ins.s3 import S3StandIn, serve_s3

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[S3StandIn, str, str]]:
    with S3StandIn() as objects, QdrantStandIn() as points, pytest.MonkeyPatch.context() as patch:
        yield objects, serve_s3(objects, patch), points.url


def start(tmp_path: Path, home: str, url: str, source: str, *flags: str) -> "subprocess.Popen[str]":
    """A job in a process of its own, whose Ray inherits the keys of the bucket."""
    config = tmp_path / "colours.yaml"
    config.write_text(
        f"collection: colours\nsource: {source}\nencoders: [{{name: '{ENCODER}', vector: cnn}}]\n"
        "projection: {dimension: 16}\n"
    )
    others = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        [sys.executable, "-m", "ray_jobs.index", str(config), "--home", home, *flags],
        env=others | {"QDRANT_URL": url, "SIMILE_STORE_PATIENCE": "20"},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def account(job: "subprocess.Popen[str]") -> dict[str, Any]:
    out, errors = job.communicate(timeout=240)
    assert job.returncode == 0, errors[-2000:]
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


def test_a_job_on_a_bucket(servers: tuple[S3StandIn, str, str], tmp_path: Path) -> None:
    objects, bucket, url = servers
    source, home, requests = f"{bucket}/pictures", f"{bucket}/home", count()
    local = write_pictures(tmp_path / "pictures")
    for path in local.rglob("*.png"):
        write_file(f"{source}/{path.relative_to(local)}", path.read_bytes())
    # Every seventh request fails, before or after it was carried out.
    faults = {0: "before", 7: "after"}
    objects.fault = lambda method, path: faults.get(next(requests) % 14) if "home/" in path else None
    first = account(start(tmp_path, home, url, source))
    assert (first["written"], first["embedded"], first["rejected"]) == (24, 24, 0)
    objects.fault = lambda method, path: None

    picture((250, 250, 20), 1).save(local / "new.png")
    write_file(f"{source}/red/new.png", (local / "new.png").read_bytes())
    more = account(start(tmp_path, home, url, source))  # lists what another process staged
    assert (more["embedded"], more["written"], more["skipped"]) == (1, 1, 24)
    found = dict(open_collection("colours", home=home, url=url).facets("label"))
    assert found == {"red": 9, "green": 8, "blue": 8}


def test_of_two_jobs_at_once_one_is_refused(servers: tuple[S3StandIn, str, str], tmp_path: Path) -> None:
    _, bucket, url = servers
    source, home = str(write_pictures(tmp_path / "pictures", each=1)), f"{bucket}/two"
    began = time.monotonic()
    with writer_lock(home, "colours"):
        job = start(tmp_path, home, url, source)
        _, errors = job.communicate(timeout=120)
    assert job.returncode == 1 and "Another job is writing 'colours'" in errors
    assert time.monotonic() - began < 60
