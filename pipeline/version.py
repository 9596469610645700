"""The version of Simile: that of the installed package, else the one that pyproject.toml states."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["simile_version"]

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def simile_version() -> str:
    """For example `0.1.0`; `unknown` where Simile is not installed and its pyproject.toml is missing."""
    try:
        return version("simile")
    except PackageNotFoundError:
        pass
    try:
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    except OSError:
        return "unknown"
