"""POST /gradio_api/upload in the place of Gradio's: pictures only, counted, under names that nobody guesses.

Gradio names an upload after its bytes, so whoever has a picture could ask whether somebody else has sent it.
"""

import secrets
import shutil
from pathlib import Path

from gradio.route_utils import MultiPartException, upload_fn
from gradio.routes import file_upload_statuses
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from page.disk_budget import ARRIVING, UPLOADS, DiskBudget
from page.login import is_logged_in
from page.own_uploads import OwnUploads, owner_of, remember_owner
from page.rate_limit import RateLimit, network_of
from page.uploads import MAX_BYTES, NO_PICTURE, kind_of
from pipeline.errors import SimileError

__all__ = ["upload_route"]


def upload_route(limit: RateLimit, disk: DiskBudget, own: OwnUploads) -> Route:
    """The route; it is matched before Gradio's own. A cookie tells a browser's own uploads."""

    async def upload(request: Request) -> Response:
        if not is_logged_in(request):
            return JSONResponse({"detail": "Not authenticated"}, 401)
        address = request.client.host if request.client else None
        arriving = disk.folder / ARRIVING / secrets.token_urlsafe(16)
        try:
            limit.admit(address, None, caller="file")
            files = await _received(request, arriving)
            if len(files) > 1:
                limit.admit(address, None, len(files) - 1, "file")
            owner = owner_of(request.cookies) or secrets.token_urlsafe(24)
            return _kept(files, disk, network_of(address), own, owner)
        except SimileError as error:
            return PlainTextResponse(str(error), 429)
        except MultiPartException as error:
            return PlainTextResponse(error.message, 413 if "maximum allowed size" in error.message else 400)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)  # also what a broken connection has left

    return Route("/gradio_api/upload", upload, methods=["POST"])


async def _received(request: Request, folder: Path) -> list[Path]:
    number = request.query_params.get("upload_id")
    progress = file_upload_statuses if number else None
    try:
        files, _, _ = await upload_fn(request, folder, MAX_BYTES, number, upload_progress=progress)
    except (TypeError, KeyError, UnicodeDecodeError):
        raise HTTPException(400, "the upload cannot be read; send it as multipart/form-data") from None
    return [Path(file) for file in files]


def _kept(files: list[Path], disk: DiskBudget, visitor: str, own: OwnUploads, owner: str) -> Response:
    kinds = []
    for file in files:
        with file.open("rb") as opened:
            kinds.append(kind_of(opened.read(64)))
    if not all(kinds):
        return PlainTextResponse(NO_PICTURE, 415)
    kept: dict[Path, Path] = {}
    for file, kind in zip(files, kinds, strict=True):
        if file in kept:  # the same picture twice in one request is one file
            continue
        folder = disk.folder / UPLOADS / secrets.token_urlsafe(24)
        folder.mkdir(parents=True)
        kept[file] = file.rename(folder / f"picture.{kind}")
        disk.keep(kept[file], visitor)
        own.add(kept[file], owner)
    answer = JSONResponse([str(kept[file]) for file in files])
    remember_owner(answer, owner)
    return answer
