"""Connect to Ray, turn expected errors into one line, and end with one JSON line on stdout."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import SimileError

__all__ = ["print_result", "ray_session", "report_errors"]


@contextmanager
def ray_session() -> Iterator[None]:
    """The cluster at RAY_ADDRESS (as `ray job submit` sets it), else a Ray of this process alone.

    Never "whatever runs here": a cluster that was killed leaves its address behind. `SIMILE_DASHBOARD=0`
    starts a Ray of this process without its dashboard, which saves some seconds of processor time.
    """
    import ray

    address = os.environ.get("RAY_ADDRESS") or "local"
    # Idle workers beyond one a CPU would be ended after a second, and the next stage would have to start them
    # again: two seconds of processor time each.
    os.environ.setdefault("RAY_idle_worker_killing_time_threshold_ms", "30000")
    dashboard = os.environ.get("SIMILE_DASHBOARD") != "0" if address == "local" else None
    joined: Any = ray.init(address=address, logging_level=logging.ERROR, include_dashboard=dashboard)
    if joined.dashboard_url:
        logs = f"{joined.address_info['session_dir']}/logs"
        print(f"Ray's dashboard: http://{joined.dashboard_url}   logs: {logs}", file=sys.stderr, flush=True)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # our own bars know the totals and count rows, not tasks
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def report_errors() -> Iterator[None]:
    """A SimileError ends the program with its sentence on stderr and exit code 1, without a traceback."""
    try:
        yield
    except SimileError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def print_result(result: dict[str, Any] | list[dict[str, Any]]) -> None:
    """One JSON object a line on stdout, after everything else."""
    sys.stderr.flush()
    print(json.dumps(result), flush=True)
