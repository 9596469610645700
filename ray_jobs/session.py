"""What all jobs share: their command line, Ray, errors of one line, and the JSON line at the end."""

import argparse
import json
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pipeline.command_line import Parser
from pipeline.errors import SimileError
from pipeline.printable import protect_logs, without_secrets
from pipeline.progress import say
from pipeline.version import simile_version
from ray_jobs.stopping import Stopping, listen_again, stoppable

__all__ = [
    "HOME_HELP",
    "add_authority",
    "add_server",
    "command_again",
    "job_parser",
    "print_result",
    "ray_session",
    "report_errors",
]

_CONNECT_SECONDS = 10.0  # to the head of a cluster
HOME_HELP = (
    "absolute folder or URL of staged vectors, weights and the embedded store (default: $SIMILE_HOME or the "
    "user's data directory)"
)


def job_parser(
    job: str, description: str | None, *, home: bool = True, **settings: Any
) -> argparse.ArgumentParser:
    """The parser of `python -m ray_jobs.<job>`, with `--version` and, unless `home` is false, `--home`.

    Args:
        settings: further arguments of `argparse.ArgumentParser`.
    """
    parser = Parser(prog=f"python -m ray_jobs.{job}", description=description, **settings)
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    if home:
        parser.add_argument("--home", help=HOME_HELP)
    return parser


def add_authority(parser: argparse.ArgumentParser) -> None:
    """Give the parser `--ca`, whose value is for `pipeline.store.authority.trust`."""
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="PEM file of the authority that a Qdrant server's certificate is signed by",
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """Give the parser of a job that reads a collection `--url` and `--ca`."""
    parser.add_argument(
        "--url",
        help="address of a Qdrant server; several with commas (default: $QDRANT_URL, else the home)",
    )
    add_authority(parser)


@contextmanager
def ray_session() -> Iterator[None]:
    """The cluster at RAY_ADDRESS (as `ray job submit` sets it), else a Ray of this process alone.

    It never joins a cluster just because one runs on this machine: a cluster that was killed leaves its
    address behind. A Ray of this process starts without its dashboard unless `SIMILE_DASHBOARD=1`. The
    dashboard takes some 6 seconds of a core to start and 4 % of a core later.
    """
    # What an autoscaler does would be printed on stdout, which is kept for the job's result. Ray reads this
    # when it is imported.
    os.environ.setdefault("RAY_SCHEDULER_EVENTS", "0")
    import ray

    protect_logs(logging.WARNING)
    address = os.environ.get("RAY_ADDRESS") or "local"
    # By default Ray ends idle workers, beyond one for each CPU, after a second. The next stage would start
    # them again, at two seconds of processor time each.
    os.environ.setdefault("RAY_idle_worker_killing_time_threshold_ms", "30000")
    # Arrow's allocator gives memory back to the system after 10 ms without use. The pages of every large
    # picture that is read would be cleared anew: a sixth of the time of 12 megapixels. Workers end with their
    # stage, so they need not give it back at all.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "-1")
    dashboard = os.environ.get("SIMILE_DASHBOARD") == "1" if address == "local" else None
    joined = _join(address, dashboard)
    if joined.dashboard_url:
        say(f"Ray's dashboard: http://{joined.dashboard_url}")
    if address == "local":
        say(f"Ray's logs: {joined.address_info['session_dir']}/logs")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # our own bars know the totals and count rows, not tasks
    context.raise_original_map_exception = True  # else what a worker says does not reach the driver
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # A failed task is logged with its traceback, and the job says in a sentence what ended it. That Ray's own
    # bars are off is logged, too.
    for name in ("execution.streaming_executor_state", "progress"):
        logging.getLogger(f"ray.data._internal.{name}").setLevel(logging.CRITICAL)
    logging.getLogger("ray.data.exceptions").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()


def _join(address: str, dashboard: bool | None) -> Any:
    """`ray.init`, which takes SIGTERM for itself and ends with the status 15 when it comes meanwhile.

    Raises:
        SimileError: nothing answers at the address, or what answers is no Ray that this one can join.
    """
    import ray

    try:
        if address not in ("local", "auto") and "://" not in address:
            host, _, port = address.rpartition(":")
            # Ray itself would try for minutes.
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
        return ray.init(address=address, logging_level=logging.ERROR, include_dashboard=dashboard)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if address == "local":
            raise
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SimileError(
            f"The Ray cluster at RAY_ADDRESS={address} cannot be joined: {why}; "
            "start it, correct the address, or unset RAY_ADDRESS to run on this machine alone."
        ) from error
    except SystemExit as error:
        listen_again()  # so that it comes once more, to this job's own handler
        if error.code == signal.SIGTERM:
            signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        listen_again()


@contextmanager
def report_errors() -> Iterator[Stopping]:
    """A SimileError ends the program with its sentence on stderr and exit code 1, without a traceback.

    SIGTERM and Ctrl-C end it with 143 and 130; what it says then is set in what this yields.
    """
    try:
        with stoppable() as stopping:
            yield stopping
    except SimileError as error:
        say(f"error: {error}")
        raise SystemExit(1) from None


def command_again(job: str, given: Sequence[str], home: str) -> str:
    """The command that goes on, whole: also where the home came from the environment. Logs keep it, so that
    it holds no secret, and a sentence after it says where one is missing.

    >>> command_again("index", ["my.yaml"], "/data/the home")
    "python -m ray_jobs.index my.yaml --home '/data/the home'"
    """
    named = any(word == "--home" or word.startswith("--home=") for word in given)
    words = [*given, *([] if named else ["--home", home])]
    shown = [without_secrets(word) for word in words]
    missing = "" if shown == words else "\nThe login or signature has to be put in again where *** stands."
    return shlex.join(["python", "-m", f"ray_jobs.{job}", *shown]) + missing


def print_result(result: dict[str, Any] | list[dict[str, Any]]) -> None:
    """One JSON object a line on stdout, after everything else."""
    sys.stderr.flush()
    # JSON may hold a DEL as it is; everything else that is not printable is escaped by `dumps`.
    print(json.dumps(result).replace("\x7f", "\\u007f"), flush=True)
