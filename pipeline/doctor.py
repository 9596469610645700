"""What is installed and where things are, for a bug report. No secret leaves this module.

Each part of the report is examined by itself: what fails in one becomes its `problem`, a sentence.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.errors import SimileError
from pipeline.home import cache_folder, resolve_home, store_folder
from pipeline.installation import has_torch
from pipeline.printable import without_secrets
from pipeline.version import simile_version

__all__ = ["examine", "report_text"]

PACKAGES = (
    "ray",
    "torch",
    "gradio",
    "qdrant-client",
    "qdrant-edge-py",
    "datasets",
    "transformers",
    "timm",
    "onnxruntime",
)
_SHOWN = ("SIMILE_", "HF_", "HUGGING_FACE_", "QDRANT_", "RAY_ADDRESS")  # beginnings of variables
_SECRET = re.compile(r"KEY|TOKEN|AUTH|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)  # in names of variables
_BARE_LOGIN = re.compile(r"^(?!\w+://)[^\s/@]+:\S*@")  # user:password@ of an address without http://
_GPU_FIELDS = "name,memory.total,driver_version"
_GPU_SECONDS = 20  # until nvidia-smi has to answer
_FAILURES = (SimileError, OSError, ValueError, ImportError, subprocess.SubprocessError)


def examine(home: str | None = None, url: str | None = None) -> dict[str, Any]:
    """The report, ready for JSON.

    Args:
        home: as `resolve_home` takes it.
        url: of a Qdrant server; None for the one at `QDRANT_URL`, else the embedded store in the home.
    """
    url = url or os.environ.get("QDRANT_URL")
    return {
        "simile": simile_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "home": _examined(lambda: _home(home)),
        "cache": _examined(_cache),
        "encoders": _examined(_encoders),
        "store": _examined(lambda: _server(url) if url else _embedded(home)),
        "gpu": _examined(_gpu),
        "environment": _environment(os.environ),
    }


def report_text(report: Mapping[str, Any]) -> str:
    """The report for people: a heading for each part, and its facts below it."""
    lines = [f"Simile {report['simile']}, Python {report['python']}, {report['platform']}"]
    for part, facts in report.items():
        if isinstance(facts, dict):
            lines += ["", part.capitalize(), *_indented(facts, "  ")]
    return "\n".join(lines)


def _shown(value: str) -> str:
    """A setting as a report may hold it."""
    return without_secrets(_BARE_LOGIN.sub("***@", value))


def _indented(facts: Mapping[str, Any], margin: str) -> list[str]:
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{margin}{name}:", *_indented(value, margin + "  ")]
        elif isinstance(value, list):
            lines += [f"{margin}{name}: {', '.join(map(str, value)) or 'none'}"]
        else:
            lines += [f"{margin}{name}: {_in_words(value)}"]
    return lines or [f"{margin}none"]


def _in_words(value: object) -> object:
    if value is None:
        return "not installed"
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _examined(examination: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return examination()
    except _FAILURES as error:
        return {"problem": _shown(str(error)) or type(error).__name__}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _home(home: str | None) -> dict[str, Any]:
    where = resolve_home(home)
    if "://" in where:
        return {"path": _shown(where), "note": "an object store; it is not read here"}
    return _folder(Path(where))


def _cache() -> dict[str, Any]:
    from huggingface_hub.constants import HF_HUB_CACHE

    return {**_folder(cache_folder()), "hugging_face": HF_HUB_CACHE}


def _folder(path: Path) -> dict[str, Any]:
    """A folder, or where it would be made: whether it can be written to, and GB free on its disk."""
    there = next(each for each in (path, *path.parents) if each.exists())
    return {
        "path": str(path),
        "exists": path.is_dir(),
        "writable": there.is_dir() and os.access(there, os.W_OK),
        "free_gb": round(shutil.disk_usage(there).free / 1e9, 1),
    }


def _encoders() -> dict[str, Any]:
    from pipeline.encoders.catalogue import known_encoders

    known = known_encoders()
    at_hand = [encoder.name for encoder in known if encoder.at_hand == "yes"]
    return {"at_hand": at_hand, "known": len(known)}


def _embedded(home: str | None) -> dict[str, Any]:
    from pipeline.store.embedded import EmbeddedStore

    folder = store_folder(resolve_home(home))
    store = EmbeddedStore(folder)
    collections = {
        alias: {
            "live": live,
            "megabytes": {name: _megabytes(folder / name) for name in store.versions(alias)},
        }
        for alias, live in store.aliases().items()
    }
    return {"kind": "embedded", "path": str(folder), "collections": collections}


def _megabytes(folder: Path) -> float:
    """Space on the disk, which is less than the length of files that the engine has not filled."""
    sizes = (file.stat() for file in folder.rglob("*") if file.is_file())
    return round(sum(getattr(size, "st_blocks", size.st_size / 512) * 512 for size in sizes) / 1e6, 1)


def _server(url: str) -> dict[str, Any]:
    from pipeline.store.server import ServerStore

    key = os.environ.get("QDRANT_API_KEY")
    facts: dict[str, Any] = {
        "kind": "server",
        "address": _shown(url),
        "key": "set" if key else "not set",
    }

    def answers() -> dict[str, Any]:
        store = ServerStore(url, api_key=key, patience=0)
        aliases = store.aliases()
        collections = {
            alias: {"live": live, "versions": store.versions(alias)} for alias, live in aliases.items()
        }
        return {"collections": collections, "version": store.servers.version}

    return facts | _examined(answers)


def _gpu() -> dict[str, Any]:
    """The GPUs of the driver, and how many of them torch can use: a wrong build of torch uses none.

    None where torch is not installed.
    """
    if not has_torch():
        return _driver() | {"usable_by_torch": None}
    import torch

    return _driver() | {"usable_by_torch": torch.cuda.device_count() if torch.cuda.is_available() else 0}


def _driver() -> dict[str, Any]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return {"found": [], "note": "nvidia-smi is not installed"}
    command = [program, f"--query-gpu={_GPU_FIELDS}", "--format=csv,noheader"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=False)
    if run.returncode:
        return {"found": [], "problem": (run.stdout + run.stderr).strip() or "nvidia-smi failed"}
    return {"found": [line.strip() for line in run.stdout.splitlines() if line.strip()]}


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that Simile and its libraries read; of secrets only that they are set."""
    return {
        name: "set, not shown" if _SECRET.search(name) else _shown(value)
        for name, value in sorted(variables.items())
        if name.startswith(_SHOWN)
    }
