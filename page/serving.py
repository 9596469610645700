"""What stands between strangers and the page: middleware, routes of its own, and what is swept meanwhile."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from page.allowed_hosts import AllowedHosts, HostGuard
from page.api.health import health_route
from page.api.panel_examples import PanelExamples
from page.body_limit import BodyLimit
from page.collection_library import CollectionLibrary
from page.disk_budget import DiskBudget
from page.link_preview import LinkPreview, preview_route
from page.login import LoginDelay
from page.picture_route import picture_route
from page.public_blocks import PublicBlocks
from page.request_log import RequestLog
from page.route_guard import RouteGuard
from page.security_headers import SecurityHeaders
from page.session_states import HeartbeatWatch
from page.upload_route import upload_route

__all__ = ["app_options"]

_SWEEP_EVERY = 10.0  # seconds
log = logging.getLogger("simile")


def app_options(
    page: PublicBlocks,
    library: CollectionLibrary,
    hosts: AllowedHosts | None = None,
    ancestors: Sequence[str] = (),
    disk: DiskBudget | None = None,
    sweep_every: float = _SWEEP_EVERY,
    routes: Sequence[Route] = (),
) -> dict[str, Any]:
    """The `app_kwargs` of `page.launch`.

    Args:
        hosts: under which the page answers; by default under this machine's own names.
        ancestors: origins that may show the page in a frame.
        disk: what visitors may fill; by default of the folder where Gradio keeps files now.
        sweep_every: seconds.
        routes: others of the page.
    """
    disk = disk or DiskBudget(Path(get_upload_folder()))
    first_to_last = [
        Middleware(RequestLog),  # also of what the others refuse
        # The page is 400 kB of HTML, and 60 compressed. Pictures and streams of events are left as they are.
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        Middleware(SecurityHeaders, ancestors=ancestors),  # the same
        Middleware(HostGuard, hosts=hosts or AllowedHosts()),
        Middleware(RouteGuard),
        Middleware(LinkPreview),
        Middleware(BodyLimit),
        Middleware(LoginDelay),
        Middleware(HeartbeatWatch, states=lambda: page.states),
    ]

    @asynccontextmanager
    async def running(app: Any) -> AsyncIterator[None]:
        page.keep_states(app)
        PanelExamples(library).install()
        sweeper = asyncio.create_task(_sweep(page, disk, sweep_every))
        try:
            yield
        finally:
            sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await sweeper

    return {
        "routes": [
            health_route(library),
            preview_route(library),
            picture_route(library),
            upload_route(page.rate_limit, disk, page.own_uploads),
            *routes,
        ],
        "middleware": first_to_last,
        "lifespan": running,
    }


async def _sweep(page: PublicBlocks, disk: DiskBudget, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        page.forget_unread(time.monotonic())
        try:
            await asyncio.to_thread(disk.sweep)
        except OSError as error:
            log.warning("uploads cannot be swept: %s", error)
