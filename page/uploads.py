"""What a visitor sends: files that came through the upload, never an address or a path on this machine."""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from pipeline.errors import ImageError
from pipeline.images import FORMATS

__all__ = [
    "MAX_BYTES",
    "NO_PICTURE",
    "ONLY_UPLOADS",
    "WRONG_VALUES",
    "UploadsOnly",
    "is_uploaded",
    "kind_of",
    "read_upload",
    "uploaded_path",
]

log = logging.getLogger("simile")
MAX_BYTES = 20_000_000  # of one picture
NO_PICTURE = f"This file isn't a picture we can open; choose another one ({', '.join(FORMATS)})."
WRONG_VALUES = "the page cannot read these values; reload it, or call an endpoint as the page's API view says"
ONLY_UPLOADS = "only uploaded pictures are searched, not addresses or paths: choose a file"
# Kind, which is also its usual ending -> how a file of this kind begins.
_KINDS = {
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "gif": re.compile(rb"GIF8[79]a"),
    # And the size of its header.
    "bmp": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "tif": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "avif": re.compile(rb"....ftypavi[fs]", re.DOTALL),
    "heic": re.compile(rb"....ftyp(he[iv][cmsx]|mif1|msf1)", re.DOTALL),
}


def kind_of(start: bytes) -> str | None:
    """The kind of a picture by its first 64 bytes, whatever it is called; None of anything else.

    >>> kind_of(b"\\x89PNG\\r\\n\\x1a\\n..."), kind_of(b"<html>")
    ('png', None)
    """
    return next((kind for kind, begins in _KINDS.items() if begins.match(start)), None)


class UploadsOnly(gr.Blocks):
    """Blocks that refuse every input file which is not an upload.

    Where the input of a component holds an http(s) address in place of a file's path, Gradio downloads that
    address before the app's code runs. Here such an input is refused first.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Refuses inputs that name a file outside of the upload folder, or are too few or of a wrong kind."""
        for path in _paths(inputs):
            if not is_uploaded(path):
                raise gr.Error(ONLY_UPLOADS, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:  # components raise nearly anything where values are not of their kind
            log.info("refused values of an event: %s: %s", type(error).__name__, error)
            raise gr.Error(WRONG_VALUES, print_exception=False) from None


def is_uploaded(path: Any) -> bool:
    """Whether this is a path of a file in the folder where Gradio keeps uploads."""
    if not isinstance(path, str) or not path:
        return False
    try:
        return Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve())
    except (OSError, ValueError):  # a name with a NUL, too long, or on a drive that does not exist
        return False


def uploaded_path(value: Any) -> str:
    """The path in what Gradio passes for an upload: `{"path": ..., "meta": ...}`.

    Raises:
        ImageError: it is no path of an uploaded file.
    """
    path = value.get("path") if isinstance(value, dict) else getattr(value, "path", None)
    if not is_uploaded(path):
        raise ImageError(ONLY_UPLOADS)
    return str(path)


def read_upload(path: str) -> bytes:
    """The bytes of an uploaded file, which is thereby marked as used: see page/disk_budget.py.

    Raises:
        ImageError: it is gone; uploads are deleted after a day.
    """
    try:
        os.utime(path)
        return Path(path).read_bytes()
    except OSError:
        raise ImageError("the uploaded picture is no longer here; upload it again") from None


def _paths(values: Any) -> Iterator[Any]:
    """The `path` of every file description, however deep it is nested."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            meta = value.get("meta")
            if isinstance(meta, dict) and meta.get("_type") == "gradio.FileData":
                yield value.get("path")
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
