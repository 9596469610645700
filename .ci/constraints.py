"""Versions of all that requirements-dev.txt needs, as installed here: .ci/constraints.py > constraints.txt"""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# The versions that the tests ran with: pip install -r requirements.txt -c constraints.txt
# Made by: make constraints
"""


def requirements(file: Path) -> list[Requirement]:
    """The lines of a requirements file, with those of the files that it names by -r."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text.startswith("-r "):
            found += requirements(file.parent / text[3:].strip())
        elif text:
            found.append(Requirement(text))
    return found


def installed(wanted: list[Requirement]) -> dict[str, str]:
    """Name -> version of these, and of all that they need on this machine, as far as it is installed."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(one.name, extra) for one in wanted for extra in ("", *one.extras)]
    while waiting:
        name, extra = waiting.pop()
        key = canonicalize_name(name)
        if (key, extra) in seen:
            continue
        seen.add((key, extra))
        try:
            found = distribution(key)
        except PackageNotFoundError:  # for another system, or another Python
            continue
        versions[key] = found.version.partition("+")[0]  # `+cpu` and the like is one machine's build
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed.name, inner) for inner in ("", *needed.extras)]
    return versions


if __name__ == "__main__":
    pins = installed(requirements(ROOT / "requirements-dev.txt"))
    sys.stdout.write(HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
