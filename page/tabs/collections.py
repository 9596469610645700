"""Collections: what can be searched, for visitors; and below, how it was made, for whoever runs the page."""

import logging
from html import escape
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.collection_library import CollectionLibrary
from page.components.about_collection import about_html, taken_from
from page.components.cards import picture_url
from page.components.event_wiring import QUIET
from page.components.source_words import source_words
from page.shared_state import Shared
from page.theme import script
from page.wording import Verbatim, field_list, note
from pipeline.errors import SimileError
from pipeline.insights.kept import INSIGHTS
from pipeline.locks.lock import JobRecord
from pipeline.search import Collection
from pipeline.store.manifest import EncoderEntry, Manifest
from pipeline.store.measured import IndexCheck

__all__ = ["build"]

_LOOK_EVERY = 3  # seconds, while the tab is open
_REPORT = "report.html"
log = logging.getLogger("simile")


def build(shared: Shared, tab: gr.Tab) -> None:
    """One article for each collection; it is refreshed every few seconds while the tab is open."""
    overview = gr.HTML("", elem_id="collections", js_on_load=script("start.js"), apply_default_css=False)
    seen = gr.State()
    timer = gr.Timer(_LOOK_EVERY, active=False)

    def look(before: str | None) -> tuple[Any, Any]:
        try:
            now = _state(shared.library)
            return (gr.skip(), gr.skip()) if now == before else (overview_html(shared.library), now)
        except SimileError as error:
            return note(str(error), problem=True), None
        except Exception:
            log.exception("collections cannot be shown")
            return note("The collections cannot be shown now.", problem=True), None

    def take(event: gr.EventData) -> tuple[Any, Any, Any]:
        return taken_from(shared.library, event)

    tab.select(lambda: gr.Timer(active=True), None, timer, **QUIET)
    tab.select(look, seen, [overview, seen], **QUIET)
    chosen = [shared.collection, shared.request, shared.tabs]
    overview.click(take, None, chosen, **QUIET)
    timer.tick(look, seen, [overview, seen], queue=False, **QUIET)


def _state(library: CollectionLibrary) -> str:
    """A text that changes when a version is begun or goes live, and with the progress of its job."""
    jobs = {name: _job(record) for name, record in library.jobs().items()}
    return repr((jobs, [(name, _live(library, name)) for name in library.names()]))


def _live(library: CollectionLibrary, name: str) -> tuple[str | None, ...]:
    try:
        found = library.open(name)
        return found.version, found.unfinished
    except Exception as error:  # its article says so; the others are shown as usual
        return "unreadable", str(error)


def overview_html(library: CollectionLibrary) -> str:
    """All collections; first those whose first version is still being made."""
    jobs, names = library.jobs(), library.names()
    parts = [_new(name, job) for name, job in jobs.items() if name not in names]
    parts += [_part(library, name, jobs.get(name)) for name in names]
    return "".join(parts) or note("There is no collection yet; python -m ray_jobs.index makes one.")


def _new(name: str, job: JobRecord) -> str:
    title = f"<h2>{escape(name)} <small>not there yet</small></h2>"
    return f'<article class="collection">{title}{_job(job)}</article>'


def _part(library: CollectionLibrary, name: str, job: JobRecord | None) -> str:
    try:
        found = library.open(name)
        manifest = found.manifest
        return (
            f'<article class="collection"><h2>{escape(found.title)} <small>{found.counted} pictures</small>'
            "</h2>"
            f"{_building(found, job)}{about_html(found, library.pictures)}"
            f"<details><summary>How it was made</summary>{field_list(_rows(found, manifest))}"
            f"{_encoders(manifest)}{_rejects(manifest)}</details>{_report(found)}{_insights(found)}</article>"
        )
    except Exception as error:
        said = str(error)
        if not isinstance(error, SimileError):
            log.exception("collection %r cannot be shown", name)
            said = "This collection cannot be read now; whoever runs this page finds the reason in its log."
        return f'<article class="collection"><h2>{escape(name)}</h2>{note(said, problem=True)}</article>'


def _building(found: Collection, job: JobRecord | None) -> str:
    """The job, if it runs in this home; else a note where there is a version newer than the live one."""
    if job:
        return _job(job)
    begun = found.unfinished
    return note(f"A new version is being built: {begun}") if begun else ""


def _job(job: JobRecord) -> str:
    """The stage of a job with a progress bar; of a job that has stopped, where and how to go on."""
    so_far = f"{job.stage}, {job.done:,} of {job.total:,}" if job.total else job.stage
    if not job.alive:
        return note(f"An index job stopped ({so_far}). Run the same command again to go on from there.")
    of = f' max="{job.total}" value="{job.done}"' if job.total else ""
    said = f"<span>An index job is running: {escape(so_far)}</span><progress{of}></progress>"
    return f'<p class="job" role="status">{said}</p>'


def _rows(found: Collection, manifest: Manifest) -> list[tuple[str, Any]]:
    account = manifest.account
    return [
        ("Name", Verbatim(found.name)),
        ("Source", Verbatim(source_words(found))),
        ("Split", Verbatim(manifest.split)),
        ("Revision", Verbatim(manifest.revision or "")),
        ("Licence", manifest.licence),
        ("Built", Verbatim(manifest.built.replace("T", " ").replace("+00:00", " UTC"))),
        ("Version", Verbatim(found.version)),
        ("Filters", Verbatim(", ".join(found.filters))),
        ("Quantization", Verbatim(_codes(manifest))),
        ("Rows of the source", f"{account.source:,}" if account else None),
        ("Rejected", f"{account.rejected:,}" if account else None),
    ]


def _codes(manifest: Manifest) -> str:
    """`binary, 1 bit, 8-bit queries, rescored among 4 × k`."""
    settings = manifest.quantization
    codes: str = settings.kind if settings else "none"
    if settings and settings.bits:
        codes += f", {settings.bits:g} bit{'' if settings.bits == 1 else 's'}"
    if settings and settings.query_bits:
        codes += f", {settings.query_bits}-bit queries"
    return f"{codes}, rescored among {manifest.search.oversampling:g} × k"


def _encoders(manifest: Manifest) -> str:
    rows = "".join(_encoder(entry) for entry in manifest.encoders)
    return (
        '<div class="scroll"><table><caption>Encoders</caption><thead><tr><th>Name</th><th>Dimensions</th>'
        "<th>Prepared</th><th>Bits</th><th>A match is</th><th>Recall@10</th><th>RAM</th></tr>"
        "</thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _encoder(entry: EncoderEntry) -> str:
    calibration = entry.calibration
    match = f"cosine ≥ {calibration.cosine.threshold:.3f}" if calibration else "not calibrated"
    recall, memory = _measured(entry.measured)
    cells = [
        entry.name,
        entry.dimension,
        entry.prepared_dimension,
        entry.code_bits or entry.prepared_dimension,
        match,
        recall,
        memory,
    ]
    return (
        "<tr>"
        + "".join(f"<td>{escape(str(cell if cell is not None else '–'))}</td>" for cell in cells)
        + "</tr>"
    )


def _measured(measured: IndexCheck | None) -> tuple[str, str]:
    """Recall against exact search, and RAM, as the index job measured them."""
    if measured is None or not (measured.cosine and measured.hamming and measured.bytes):
        return "not measured", "not measured"
    recall = f"cosine {measured.cosine.recall:.3f} · Hamming {measured.hamming.recall:.3f}"
    return recall, f"{measured.bytes.total:.0f} bytes a picture"


def _rejects(manifest: Manifest) -> str:
    if not manifest.account or not manifest.account.rejects:
        return ""
    items = ""
    for kind, count in manifest.account.rejects.items():
        example = manifest.account.reject_examples.get(kind)
        said = f"<br><small>such as {escape(example)}</small>" if example else ""
        items += f"<li>{escape(kind)}: {count:,}{said}</li>"
    return f"<details><summary>Rejected rows</summary><ul>{items}</ul></details>"


def _insights(found: Collection) -> str:
    """How to make insights, where there are none."""
    if found.attachment(INSIGHTS):
        return ""
    command = f"<code>python -m ray_jobs.insights {escape(found.name)}</code>"
    return f'<p class="status">No insights yet. One command makes them: {command}</p>'


def _report(found: Collection) -> str:
    """The evaluation report: a link to download it, and a frame that may neither run nor fetch anything."""
    data = found.attachment(_REPORT)
    if data is None:
        command = f"<code>python -m ray_jobs.report {escape(found.name)}</code>"
        return (
            "<details><summary>Evaluation report</summary>"
            f'<p class="status">There is none yet. One command makes it: {command}</p></details>'
        )
    path = save_bytes_to_cache(data, f"{found.name}-report.html", get_upload_folder())
    frame = escape(data.decode("utf-8", "replace"), quote=True)
    return (
        "<details><summary>Evaluation report</summary>"
        f'<p><a href="{escape(picture_url(path), quote=True)}" download="{escape(found.name)}-report.html">'
        "Download</a></p>"
        f'<iframe sandbox="" title="Evaluation of {escape(found.title, quote=True)}" srcdoc="{frame}">'
        "</iframe></details>"
    )
