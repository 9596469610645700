"""Makes the folder of a Hugging Face Space: python deploy/space/build.py FOLDER [--home HOME].

Without --home the bundled samples are indexed first, with their maps, which takes some minutes.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CODE = ("page", "pipeline", "weights", "demo.py", "LICENSE")
OWN = ("README.md", "requirements.txt", "app.py")
STORE = "store"  # of a home; what else is there serves index jobs
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.lock")


def build(folder: Path, home: Path) -> None:
    """Copies code, networks and the collections of `home` into `folder`.

    Raises:
        SystemExit: the folder is not empty, or the home holds no collection.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty; give a folder that does not exist yet.")
    live = [alias.read_text().strip() for alias in sorted((home / STORE).glob("*.alias"))]
    if not live:
        raise SystemExit(f"{home} holds no collection; leave --home out, or index something there first.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=_LEFT_OUT)
        else:
            shutil.copy(ROOT / name, folder / name)
    for name in OWN:
        shutil.copy(HERE / name, folder / name)
    (folder / "home" / STORE).mkdir(parents=True)
    for one in (home / STORE).iterdir():
        if one.suffix == ".alias":
            shutil.copy(one, folder / "home" / STORE)
    for version in live:
        shutil.copytree(home / STORE / version, folder / "home" / STORE / version, ignore=_LEFT_OUT)


def main() -> int:
    """Builds, and says what to do with the folder."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--home", type=Path, help="home whose collections are shown (default: the samples)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="simile-space-") as made:
        home = options.home or Path(made)
        if options.home is None:
            command = [sys.executable, "-m", "ray_jobs.samples", "--home", str(home)]
            subprocess.run(command, cwd=ROOT, check=True)
        build(options.folder, home)
    size = sum(one.stat().st_size for one in options.folder.rglob("*") if one.is_file())
    print(f"{options.folder}: {size / 1e6:.0f} MB; `python app.py` in it starts the page as a Space does")
    return 0


if __name__ == "__main__":
    sys.exit(main())
