"""A job that dies goes on where it was: what is staged is not embedded again."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = 1500


def test_a_killed_job_embeds_only_what_is_missing(tmp_path: Path) -> None:
    encoder = ["--encoder", "pypi:efficientnet-lite0@64px"]
    command = [sys.executable, "-m", "ray_jobs.index", "qdrant_config/cifar10.yaml", "--sample", *encoder]
    command += ["--limit", str(ROWS), "--home", str(tmp_path)]
    first = subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("staging/*/*/*.parquet")):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    first.kill()
    first.wait()
    time.sleep(5)  # Ray's processes notice that their driver is gone and end
    staged = sum(pq.read_metadata(part).num_rows for part in tmp_path.glob("staging/*/*/*.parquet"))
    assert 0 < staged < ROWS
    assert not list(tmp_path.glob("store/*.alias"))

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert run.returncode == 0, run.stderr[-3000:]
    result = json.loads(run.stdout.strip().splitlines()[-1])
    assert result["embedded"] == ROWS - staged
    assert (result["written"], result["source"]) == (ROWS, ROWS)
