"""What figures depend on beside the code: processor, cores, and the commit that measured them."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["commit", "made_by", "processor"]


def processor() -> str:
    """Its name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str:
    """Of the checkout that this code is in; "unknown" outside of one."""
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or "unknown"


def made_by(command: str) -> str:
    """A sentence that says how figures below it came about."""
    today = datetime.now(UTC).date()
    return f"Made by `{command}` on {today}, commit {commit()}, {os.cpu_count()} cores of {processor()}."
