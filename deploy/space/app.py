"""What a Hugging Face Space runs: the page, over the collections that `build.py` has put beside this file."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import demo

HERE = Path(__file__).resolve().parent
PORT = "7860"  # where Spaces look for an application


def arguments(home: str, host: str | None) -> list[str]:
    """What `demo.py` is told; `host` is the name of the Space, which is shown in a frame of the Hub."""
    own = ["--host", "0.0.0.0", "--port", PORT, "--home", home, "--frame-ancestor", "https://huggingface.co"]
    return [*own, "--allowed-host", host] if host else own


def main() -> int:
    """Serves until the Space is stopped."""
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "*")  # all requests come through the proxy of the Hub
    with tempfile.TemporaryDirectory(prefix="simile-home-") as home:
        # The engine keeps locks beside its files, and the folder of a Space may be read-only.
        shutil.copytree(HERE / "home", home, dirs_exist_ok=True)
        return demo.main(arguments(home, os.environ.get("SPACE_HOST")))


if __name__ == "__main__":
    sys.exit(main())
