"""Where the browser is that pages are looked at with."""

import shutil

__all__ = ["find_chromium"]


def find_chromium() -> str | None:
    """Path of Chromium or Chrome on this machine; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
