"""Collections: what can be searched, where it came from, how it was made and how well it does."""

import logging
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.components.cards import picture_url
from page.library import Library
from page.state import Shared
from page.text import Verbatim, credit, fields, note
from pipeline.errors import SimileError
from pipeline.indexing.lock import JobRecord
from pipeline.search import Collection
from pipeline.sources import public_name

__all__ = ["build"]

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_LOOK_EVERY = 3  # seconds, while the tab is open
_REPORT = "report.html"
_SAMPLES = Path(__file__).resolve().parents[2] / "samples"
log = logging.getLogger("simile")


def build(shared: Shared, tab: gr.Tab) -> None:
    """One part a collection; looks again every few seconds while the tab is open."""
    overview = gr.HTML("", elem_id="collections", apply_default_css=False)
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

    tab.select(lambda: gr.Timer(active=True), None, timer, **_QUIET)
    tab.select(look, seen, [overview, seen], **_QUIET)
    timer.tick(look, seen, [overview, seen], queue=False, **_QUIET)


def _state(library: Library) -> str:
    """Changes when a version goes live or is begun, and as the job that makes it goes on."""
    jobs = {name: _job(record) for name, record in library.jobs().items()}
    return repr((jobs, [(name, _live(library, name)) for name in library.names()]))


def _live(library: Library, name: str) -> tuple[str | None, ...]:
    try:
        found = library.open(name)
        return found.version, found.unfinished
    except Exception as error:  # its card says so, and the others are as usual
        return "unreadable", str(error)


def overview_html(library: Library) -> str:
    """All collections, those first that a job makes for the first time."""
    jobs, names = library.jobs(), library.names()
    parts = [_new(name, job) for name, job in jobs.items() if name not in names]
    parts += [_part(library, name, jobs.get(name)) for name in names]
    return "".join(parts) or note("There is no collection yet; python -m ray_jobs.index makes one.")


def _new(name: str, job: JobRecord) -> str:
    title = f"<h3>{escape(name)} <small>not there yet</small></h3>"
    return f'<article class="collection">{title}{_job(job)}</article>'


def _part(library: Library, name: str, job: JobRecord | None) -> str:
    try:
        found = library.open(name)
        facts = found.manifest
        return (
            f'<article class="collection"><h3>{escape(found.title)} <small>{found.count:,} pictures</small>'
            "</h3>"
            f"{_building(found, job)}{fields(_rows(found, facts))}{_encoders(facts)}{_rejects(facts)}"
            f"{_report(found)}{credit(found.credit)}</article>"
        )
    except Exception as error:
        said = str(error)
        if not isinstance(error, SimileError):
            log.exception("collection %r cannot be shown", name)
            said = "This collection cannot be read now; whoever runs this page finds the reason in its log."
        return f'<article class="collection"><h3>{escape(name)}</h3>{note(said, problem=True)}</article>'


def _building(found: Collection, job: JobRecord | None) -> str:
    """The job if its home is ours, else that a version newer than the live one exists."""
    if job:
        return _job(job)
    begun = found.unfinished
    return note(f"A new version is being built: {begun}") if begun else ""


def _job(job: JobRecord) -> str:
    """Stage and how far, with a bar; or that it stopped there and what to do."""
    so_far = f"{job.stage}, {job.done:,} of {job.total:,}" if job.total else job.stage
    if not job.alive:
        return note(f"An index job stopped ({so_far}). The same command, given again, goes on from there.")
    of = f' max="{job.total}" value="{job.done}"' if job.total else ""
    said = f"<span>An index job is at work: {escape(so_far)}</span><progress{of}></progress>"
    return f'<p class="job" role="status">{said}</p>'


def _rows(found: Collection, facts: dict[str, Any]) -> list[tuple[str, Any]]:
    account = facts.get("account") or {}
    quantization = facts.get("quantization") or {}
    codes = str(quantization.get("kind") or "none")
    if bits := quantization.get("bits"):
        codes += f", {bits:g} bit{'' if bits == 1 else 's'}"
    if query_bits := quantization.get("query_bits"):
        codes += f", {query_bits}-bit queries"
    if oversampling := (facts.get("search") or {}).get("oversampling"):
        codes += f", rescored among {oversampling:g} × k"
    return [
        ("Name", Verbatim(found.name)),
        ("Source", Verbatim(_source(found, str(facts.get("source", ""))))),
        ("Split", Verbatim(str(facts.get("split") or ""))),
        ("Revision", Verbatim(str(facts.get("revision") or ""))),
        ("Licence", facts.get("licence")),
        ("Built", Verbatim(str(facts.get("built", "")).replace("T", " ").replace("+00:00", " UTC"))),
        ("Version", Verbatim(found.version)),
        ("Filters", Verbatim(", ".join(found.filters))),
        ("Quantization", Verbatim(codes)),
        ("Rows of the source", f"{account['source']:,}" if "source" in account else None),
        ("Rejected", f"{account['rejected']:,}" if "rejected" in account else None),
    ]


def _source(found: Collection, source: str) -> str:
    """A Hub id or the name of a folder; the samples that come with Simile in words."""
    bundled = source and Path(source).resolve().parent == _SAMPLES
    return f"the bundled samples of {found.title}" if bundled else public_name(source)


def _encoders(facts: dict[str, Any]) -> str:
    rows = "".join(_encoder(one) for one in facts["encoders"])
    return (
        '<div class="scroll"><table><caption>Encoders</caption><thead><tr><th>Name</th><th>Dimensions</th>'
        "<th>Prepared</th><th>Bits</th><th>A match is</th><th>Recall@10</th><th>RAM</th></tr>"
        "</thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _encoder(one: dict[str, Any]) -> str:
    prepared = one.get("prepared_dimension")
    calibration = (one.get("calibration") or {}).get("cosine") or {}
    match = f"cosine ≥ {calibration['threshold']:.3f}" if "threshold" in calibration else "not calibrated"
    recall, memory = _measured(one.get("measured") or {})
    cells = [
        one.get("name"),
        one.get("dimension"),
        prepared,
        one.get("code_bits") or prepared,
        match,
        recall,
        memory,
    ]
    return (
        "<tr>"
        + "".join(f"<td>{escape(str(cell if cell is not None else '–'))}</td>" for cell in cells)
        + "</tr>"
    )


def _measured(measured: dict[str, Any]) -> tuple[str, str]:
    """Recall against exact search, and RAM, as the job's check found them."""
    kept = [(name, (measured.get(name.lower()) or {}).get("recall")) for name in ("cosine", "Hamming")]
    recall = " · ".join(f"{name} {value:.3f}" for name, value in kept if isinstance(value, int | float))
    size = (measured.get("bytes") or {}).get("total")
    memory = f"{size:.0f} bytes a picture" if isinstance(size, int | float) else ""
    return recall or "not measured", memory or "not measured"


def _rejects(facts: dict[str, Any]) -> str:
    reasons = (facts.get("account") or {}).get("rejects") or {}
    if not reasons:
        return ""
    items = "".join(f"<li>{escape(str(reason))}: {count:,}</li>" for reason, count in reasons.items())
    return f"<details><summary>Rejected rows</summary><ul>{items}</ul></details>"


def _report(found: Collection) -> str:
    """The evaluation report, in a frame that may run nothing and fetch nothing, and to be downloaded."""
    data = found.attachment(_REPORT)
    if data is None:
        command = f"<code>python -m ray_jobs.report {escape(found.name)}</code>"
        return f'<p class="status">No evaluation report yet. One command makes it: {command}</p>'
    path = save_bytes_to_cache(data, f"{found.name}-report.html", get_upload_folder())
    frame = escape(data.decode("utf-8", "replace"), quote=True)
    return (
        "<details><summary>Evaluation report</summary>"
        f'<p><a href="{escape(picture_url(path), quote=True)}" download="{escape(found.name)}-report.html">'
        "Download</a></p>"
        f'<iframe sandbox="" title="Evaluation of {escape(found.title, quote=True)}" srcdoc="{frame}">'
        "</iframe></details>"
    )
