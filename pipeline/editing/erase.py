"""Take pictures out of a collection and of all that Simile keeps of it, in steps that can be repeated."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from pipeline.editing.delete import DELETED, chosen_points, deleted_ids, take_out
from pipeline.editing.erase_staged import erase_staged, traces_of
from pipeline.editing.rewrite import rewrite
from pipeline.editing.tags import TAGGED
from pipeline.errors import SimileError
from pipeline.home import filesystem
from pipeline.points import RESERVED, checked_id, point_id
from pipeline.staging.erased import ErasedList, Trace, erased_list, write_erased_list
from pipeline.staging.parts import Parts
from pipeline.staging.rejects import RejectLog, read_rejects
from pipeline.store import Store
from pipeline.store.builds import BUILD
from pipeline.store.manifest import Version
from pipeline.store.thumbnail_files import ThumbnailFiles
from pipeline.store.unit_record import RECORD
from pipeline.store.versions import builds, live_version, read_version, searchable

__all__ = ["erase_points"]

# Attachments of a version that show and name no picture; all others are made again by one command.
_WITHOUT_PICTURES = {DELETED, TAGGED, RECORD, BUILD, "live.json", "job.json", "evaluation.json"}
# Folders of the home with pages and tables of a collection, and with what its tars say.
_MADE_FROM_IT = ("duplicates", "insights", "tars")
_NAMED = 20  # places that the summary names
_AT_ONCE = 500  # points that are asked for together


def erase_points(
    store: Store, home: str, alias: str, ids: Sequence[str] = (), filters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Erase pictures, and those whose erasure was cut short before. Only for the holder of the writer's lock.

    Nothing is left of them in the live version, in staged files and thumbnails, in the table of rejects, in
    maps, pages and lists; older versions that hold them are dropped. Later jobs leave them out.

    Args:
        store, home, alias: where the collection is.
        ids: of pictures, also of those that the live version does not have any more.
        filters: field -> what is wanted, as in a search; fields are ANDed.

    Returns:
        JSON-able: what was done, and where else Simile knows of them.

    Raises:
        SimileError: no such collection or field, an id that is none, or nothing to erase.
    """
    live, parts = live_version(store, alias), Parts(home, alias)
    before = erased_list(home, alias)
    wanted = {checked_id(point) for point in ids} | chosen_points(store, live, (), filters)
    traces = before.pending | _traces(store, live, parts, frozenset(wanted))
    unknown = wanted - traces.keys() - before.erased
    if unknown:
        raise SimileError(
            f"'{alias}' and what is staged of it have no picture '{min(unknown)}'; nothing was erased."
        )
    if not traces:
        raise SimileError(f"Nothing in '{alias}' is left to erase; name pictures with --id or --filter.")
    write_erased_list(home, alias, ErasedList(before.erased, traces))  # from here on it can be gone on with
    chosen = frozenset(traces)
    thumbnails = _thumbnails(store, live, chosen)
    version, rows = _out_of_live(store, home, alias, live, chosen)
    dropped = _drop_holding(store, alias, version, chosen)
    done = {
        "collection": alias,
        "version": version,
        "erased": len(chosen),
        "rows": rows,
        "dropped": dropped,
        "staged": erase_staged(parts, chosen),
        "thumbnails": sum(ThumbnailFiles(home).remove(alias, point) for point in chosen),
        "rejects": _out_of_rejects(store, home, alias, version, chosen),
        "made_again": _remove_made(home, alias),
        "page_files": _out_of_page_files(thumbnails),
    }
    write_erased_list(home, alias, ErasedList(before.erased | chosen))
    return done | _elsewhere(store, alias, read_version(store, version), traces)


def _traces(store: Store, live: Version, parts: Parts, ids: frozenset[str]) -> dict[str, Trace]:
    """Id -> what is known of a picture, from what is staged and from the live version."""
    found = traces_of(parts, ids) if ids else {}
    deleted = deleted_ids(store, live.name)
    for some in _some(ids):
        for record in store.retrieve(live.name, some, fields=[(RESERVED, "places")]):
            places = ((record.payload or {}).get(RESERVED) or {}).get("places", [])
            before = found.get(str(record.id), Trace())
            found[str(record.id)] = Trace(tuple(dict.fromkeys([*before.places, *places])), before.digests)
    return {point: Trace() for point in ids & deleted} | found


def _thumbnails(store: Store, live: Version, ids: frozenset[str]) -> list[bytes]:
    """As the page has sent them to browsers."""
    found = []
    for some in _some(ids):
        for record in store.retrieve(live.name, some, fields=[(RESERVED, "thumbnail")]):
            own = (record.payload or {}).get(RESERVED) or {}
            found.append(base64.b64decode(own.get("thumbnail", "")))
    return found


def _some(ids: Iterable[str]) -> list[list[str]]:
    every = sorted(ids)
    return [every[start : start + _AT_ONCE] for start in range(0, len(every), _AT_ONCE)]


def _out_of_live(store: Store, home: str, alias: str, live: Version, ids: frozenset[str]) -> tuple[str, int]:
    """The version that is live afterwards, and its points."""
    there = {str(record.id) for some in _some(ids) for record in store.retrieve(live.name, some, fields=[])}
    version, rows = live.name, live.manifest.rows
    if there:
        version, rows = take_out(
            store, alias, live, there, lambda target: rewrite(store, live, target, there, home)
        )
    if store.in_place:
        for name in set(store.attachments(version)) - _WITHOUT_PICTURES:
            store.attach(version, name, b"")
    return version, rows


def _drop_holding(store: Store, alias: str, live: str, ids: Set[str]) -> list[str]:
    """Drop versions beside the live one that hold some of these, finished or not."""
    others = [version for version in builds(store, alias) if version != live]
    whole = store.finished(others)
    dropped = [
        version
        for version in others
        if version not in whole or any(store.retrieve(version, some, fields=[]) for some in _some(ids))
    ]
    for version in dropped:
        store.drop(version)
    return dropped


def _out_of_rejects(store: Store, home: str, alias: str, version: str, ids: Set[str]) -> int:
    rejects = read_rejects(home, alias) or []
    left = [reject for reject in rejects if reject.id not in ids]
    if len(left) < len(rejects):
        log = RejectLog()
        log.add(left)
        log.write(home, alias)
        manifest = store.read_manifest(version)
        if manifest.account:  # it names some of them as examples
            account = manifest.account.model_copy(update={"reject_examples": {}})
            store.write_manifest(version, manifest.model_copy(update={"account": account}))
    return len(rejects) - len(left)


def _remove_made(home: str, alias: str) -> list[str]:
    """Delete pages and tables that may show the pictures; one command makes each again. Returns folders."""
    removed = []
    for name in _MADE_FROM_IT:
        files, path = filesystem(f"{home}/{name}/{alias}")
        if files.get_file_info(path).type == pafs.FileType.Directory:
            files.delete_dir(path)
            removed.append(f"{home}/{name}/{alias}")
    return removed


def _out_of_page_files(thumbnails: Sequence[bytes]) -> int:
    """Delete what a page on this machine has kept of thumbnails and of maps; returns how many files."""
    folder = Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")
    contents = set(thumbnails) - {b""}
    sizes = {len(content) for content in contents}
    removed = 0
    for file in folder.glob("*/*"):
        is_map = file.name == "map.bin" or (file.name.startswith("map-") and file.suffix == ".webp")
        try:
            if is_map or (file.stat().st_size in sizes and file.read_bytes() in contents):
                file.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # the page has swept it away meanwhile
    return removed


def _elsewhere(store: Store, alias: str, live: Version, traces: Mapping[str, Trace]) -> dict[str, Any]:
    """Where these pictures are that no Simile may delete from, or that are other collections."""
    manifest = live.manifest
    places = sorted({place for trace in traces.values() for place in trace.places})
    digests = {digest for trace in traces.values() for digest in trace.digests}
    others: dict[str, list[str]] = {}
    for other, version in searchable(store).items():
        same = [point_id(other, digest) for digest in digests] if other != alias else []
        there = [str(r.id) for some in _some(same) for r in store.retrieve(version, some, fields=[])]
        if there:
            others[other] = sorted(there)[:_NAMED]
    return {
        "sources": [manifest.source, *manifest.added],
        "places": places[:_NAMED],
        "more_places": max(0, len(places) - _NAMED),
        "other_collections": others,
        "look_also": "backups, exports, reports written to other folders, and copies of the home",
    }
