"""Simile's page: python demo.py [--share] [--auth user:password].

Where the home holds no collection yet, the bundled samples are indexed first. Nothing is written to a Qdrant
server: where that is empty, the page says which command fills it.
"""

import argparse
import logging
import os
import re
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, redirect_stderr
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from page.bundled_samples import ensure_collections
from pipeline.command_line import Parser
from pipeline.errors import SimileError
from pipeline.hub import take_token
from pipeline.printable import PrintableStream, protect_logs
from pipeline.search.query_embedding import KEPT_ENCODERS
from pipeline.store.authority import trust
from pipeline.version import simile_version

if TYPE_CHECKING:
    from page.allowed_hosts import AllowedHosts
    from page.collection_library import CollectionLibrary
    from page.public_blocks import PublicBlocks

LINK_LASTS = timedelta(weeks=1)  # Gradio promises "up to 1 week (best effort)"
HERE = Path(__file__).resolve().parent


def main(argv: list[str] | None = None) -> int:
    """Builds the page, serves it until Ctrl-C; the exit code says whether it could."""
    options = _parser().parse_args(argv)
    with redirect_stderr(PrintableStream(sys.stderr)):  # Gradio prints tracebacks with visitors' values
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    protect_logs(logging.WARNING)
    take_token()  # of the Hub: the owner's, and no visitor's
    # A stop by a service manager ends like Ctrl-C: temporary files are deleted, the port is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        auth = parse_auth(options.auth)
        if options.mcp and auth:
            raise SimileError(
                "--mcp cannot be combined with --auth: models would get in without the login; leave one out"
            )
        if options.edit and not auth:
            raise SimileError(
                "--edit needs --auth: without a login every visitor could delete pictures; add --auth"
            )
        if options.limit < 0:
            raise SimileError(f"--limit is {options.limit}; it must be 0 (no limit) or more")
        trust(options.ca)
        if options.share and options.root_path:
            raise SimileError(
                "--share cannot be combined with --root-path: a public link has no path; leave one out"
            )
        options.root_path = parse_root_path(options.root_path)
        for origin in options.frame_ancestor:
            if not re.fullmatch(r"https?://[A-Za-z0-9.*-]+(:\d+)?", origin):
                raise SimileError(f"--frame-ancestor is {origin!r}; write it as https://name, without a path")
        with (
            ensure_collections(options.home, options.url),
            tempfile.TemporaryDirectory(prefix="simile-", ignore_cleanup_errors=True) as uploads,
        ):
            return _serve(options, auth, uploads)
    except SimileError as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="demo.py", description="Search images by image, in the browser.")
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    parser.add_argument("--share", action="store_true", help="make a public link, through Gradio's tunnel")
    parser.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        default=os.environ.get("SIMILE_AUTH"),
        help="ask visitors to log in (default: $SIMILE_AUTH, which other users of this machine cannot read)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--mcp",
        action="store_true",
        help="also answer models, by the Model Context Protocol; not with --auth",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=120,
        metavar="N",
        help="searches a minute per visitor, and ten times that per address (default: %(default)s; 0: no "
        "limit)",
    )
    parser.add_argument(
        "--edit",
        action="store_true",
        help="let whoever logs in tag and delete pictures; only with --auth",
    )
    parser.add_argument(
        "--allow-originals",
        action="store_true",
        help="let visitors open the files that collections of local folders were made from",
    )
    parser.add_argument(
        "--root-path",
        metavar="PATH",
        default="",
        help="path below which a proxy serves the page, such as /simile (default: none)",
    )
    parser.add_argument(
        "--log-requests", action="store_true", help="write a line for each request, without visitors' data"
    )
    parser.add_argument(
        "--metrics-key",
        metavar="FILE",
        help="file with the key of /metrics (default: $SIMILE_METRICS_KEY; no key: only this machine may "
        "read it)",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which the page is visited, besides this machine's own; may be repeated",
    )
    parser.add_argument(
        "--frame-ancestor",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a site that may show the page in a frame, as https://huggingface.co; may be repeated",
    )
    parser.add_argument("--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)")
    parser.add_argument(
        "--url",
        help="address of a Qdrant server; several with commas (default: $QDRANT_URL, else the home)",
    )
    parser.add_argument("--ca", metavar="FILE", help="PEM file of the authority that signed its certificate")
    return parser


def parse_auth(text: str | None) -> tuple[str, str] | None:
    """`user:password` as a pair; a password may hold colons."""
    if not text:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise SimileError("--auth (or SIMILE_AUTH) must be user:password, with both filled in")
    return user, password


def parse_root_path(text: str) -> str:
    """The path below which a proxy serves the page, without a slash at its end; empty for none."""
    path = text.rstrip("/")
    if path and not re.fullmatch(r"(/[A-Za-z0-9_.~-]+)+", path):
        raise SimileError(f"--root-path is {text!r}; it must be a path such as /simile, without a host")
    return path


def _serve(options: argparse.Namespace, auth: tuple[str, str] | None, uploads: str) -> int:
    os.environ["GRADIO_TEMP_DIR"] = uploads  # visitors' pictures; this run deletes the folder at its end
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    # Else the server believes any X-Forwarded-For that comes through a tunnel.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    # Gradio takes seconds to load, so wrong arguments are refused before.
    from page.allowed_hosts import AllowedHosts
    from page.app import build
    from page.collection_library import CollectionLibrary
    from page.gradio_tunnel import public_link
    from page.metrics import count_logged_errors, read_key
    from page.rate_limit import RateLimit
    from page.request_log import log_requests

    metrics_key = read_key(options.metrics_key)
    count_logged_errors()
    if options.log_requests:
        log_requests()
    library = CollectionLibrary(options.home, options.url, options.allow_originals, options.edit)
    page = build(library, RateLimit(options.limit))
    with ExitStack() as closing:
        closing.callback(page.close, verbose=False)
        hosts = AllowedHosts(options.allowed_host, options.host)
        _launch(page, library, options, auth, hosts, metrics_key)
        protect_logs()  # the server's own loggers have handlers by now
        print(f"Collections come from {library.engine}", flush=True)
        link = closing.enter_context(public_link(page, partial(_announce, hosts))) if options.share else None
        print(f"Simile is at http://{options.host}:{options.port}{options.root_path}", flush=True)
        _warm_up(library)
        if link:
            link.keep()
        while True:
            time.sleep(3600)


def _launch(
    page: "PublicBlocks",
    library: "CollectionLibrary",
    options: argparse.Namespace,
    auth: tuple[str, str] | None,
    hosts: "AllowedHosts",
    metrics_key: str | None,
) -> None:
    from page.api.search_upload import UPLOAD_ENDPOINT
    from page.metrics import metrics_route
    from page.originals import original_route
    from page.serving import app_options
    from page.share_link import robots_route
    from page.theme import CSS, theme

    behind_others = bool(options.share or options.root_path or os.environ.get("FORWARDED_ALLOW_IPS"))
    routes = [metrics_route(metrics_key, behind_others)]
    if library.originals:
        routes.append(original_route(library, page.rate_limit))
    if options.share:
        routes.append(robots_route())
    try:
        page.launch(
            server_name=options.host,
            server_port=options.port,
            share=False,  # the link is opened, and opened again, by page.share_link
            root_path=options.root_path,
            auth=auth,
            prevent_thread_lock=True,
            show_error=False,
            quiet=True,
            max_file_size="20mb",
            blocked_paths=[str(HERE)],
            enable_monitoring=False,
            footer_links=["api"],
            ssr_mode=False,
            theme=theme(),
            css=CSS,
            mcp_server=options.mcp,
            app_kwargs=app_options(page, library, hosts, options.frame_ancestor, routes=routes),
            run_history=False,  # it would act with the owner's HF_TOKEN
        )
    except OSError as error:
        raise SimileError(f"cannot listen on {options.host}:{options.port}: {error}") from None
    if options.mcp:
        if page.mcp_server_obj is None:
            raise SimileError(
                "models cannot be answered (--mcp): " + (page.mcp_error or "no reason is known")
            )
        page.mcp_server_obj.tool_to_endpoint.pop(UPLOAD_ENDPOINT, None)


def _announce(hosts: "AllowedHosts", address: str) -> None:
    """Lets the page answer under a public link and tells of it, and of each one that takes its place."""
    hosts.add(address)
    end = datetime.now().astimezone() + LINK_LASTS
    print(
        f"Public link: {address}\nIt expires on {end:%A %d %B %Y at %H:%M (%Z)} at the latest, "
        "and when this program ends. If it drops, another one is opened and printed here.",
        flush=True,
    )


def _warm_up(library: "CollectionLibrary") -> None:
    """Loads the default network of each collection, so that the first visitors need not wait for it.

    The page is served meanwhile. A collection that fails here shows the error when it is searched.
    """
    warmed: set[str] = set()
    for name in library.names():
        try:
            found = library.open(name)
            default = found.encoders[0]
            if default in warmed:
                found.learn_own_kind()
            elif len(warmed) < KEPT_ENCODERS:
                found.warm_up()
                warmed.add(default)
        except Exception as error:
            logging.getLogger("simile").warning("cannot warm up %s: %s", name, error)


if __name__ == "__main__":
    sys.exit(main())
