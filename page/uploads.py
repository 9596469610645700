"""What a visitor sends: files that came through the upload, never an address or a path on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from pipeline.errors import ImageError

__all__ = ["MAX_BYTES", "ONLY_UPLOADS", "UploadsOnly", "is_uploaded", "read_upload", "uploaded_path"]

MAX_BYTES = 20_000_000  # of one picture
ONLY_UPLOADS = "only uploaded pictures are searched, not addresses or paths: choose a file"


class UploadsOnly(gr.Blocks):
    """Blocks that refuse every input file which is not an upload.

    Where the input of a component holds an http(s) address in place of a file's path, Gradio downloads that
    address before the app's code runs. Here such an input is refused first.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Refuses inputs that name a file outside of the upload folder."""
        for path in _paths(inputs):
            if not is_uploaded(path):
                raise gr.Error(ONLY_UPLOADS, print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)


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
    """The bytes of an uploaded file.

    Raises:
        ImageError: it is gone; uploads are deleted after a day.
    """
    try:
        return Path(path).read_bytes()
    except OSError:
        raise ImageError("the uploaded picture is no longer here; upload it again") from None


def _paths(value: Any) -> Iterator[Any]:
    """The `path` of every file description, however deep it is nested."""
    if isinstance(value, dict):
        meta = value.get("meta")
        if isinstance(meta, dict) and meta.get("_type") == "gradio.FileData":
            yield value.get("path")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item)
