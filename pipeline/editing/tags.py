"""Tags that people give to pictures: in the field `tags`, beside those of the source; rebuilds keep them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.fields import FieldKind, values_of
from pipeline.points import checked_id
from pipeline.printable import printable
from pipeline.store import Store
from pipeline.store.builds import BUILD, drop_unfinished, new_version
from pipeline.store.history import RECORD as LIVE_RECORD
from pipeline.store.history import make_live
from pipeline.store.manifest import Version
from pipeline.store.read_points import in_batches
from pipeline.store.similar_version import config_of
from pipeline.store.thumbnail_files import ThumbnailFiles
from pipeline.store.versions import live_version

__all__ = ["TAGGED", "TAGS", "apply_tags", "carry_tags", "own_tags", "tag_points", "with_tags"]

TAGS = "tags"  # payload field
TAGGED = "tags.json"  # attachment of a version: tag -> ids that people gave it to
_KIND = FieldKind("text", many=True)
_LONGEST, _MOST = 100, 1000  # characters of a tag, and different tags of a collection
_AT_ONCE = 500  # points with vectors and thumbnails that are held at once


def tag_points(
    store: Store, home: str, alias: str, ids: Sequence[str], tag: str, *, remove: bool = False
) -> dict[str, Any]:
    """Give a tag to pictures, or take it away. Only for the holder of the writer's lock.

    The embedded store gets a new version, with maps and pages as they were; a server changes in place.

    Args:
        store, home, alias: where the collection is.
        ids: of pictures.
        tag: any text of one line.
        remove: take it away; what the source says in its own column `tags` stays.

    Returns:
        JSON-able: how many pictures were changed, and how many had the tag already, or had it not.

    Raises:
        SimileError: no such collection or picture, a tag that is none, too many tags, or a source whose own
            column `tags` holds no text.
    """
    tag = checked_tag(tag)
    live = live_version(store, alias)
    kind = live.manifest.kinds.get(TAGS, _KIND)
    if kind.kind != "text":
        raise SimileError(
            f"The source of '{alias}' has a column '{TAGS}' of {kind.words}; rename it there to use tags."
        )
    wanted = dict.fromkeys(checked_id(one) for one in ids)
    there = _values(store, live.name, wanted)
    missing = [one for one in wanted if one not in there]
    if missing or not wanted:
        named = f"no picture '{missing[0]}'" if missing else "no picture to tag, as none was named"
        raise SimileError(f"'{alias}' has {named}; nothing was changed.")
    own = own_tags(store, live.name)
    changed = [one for one in wanted if (tag in own.get(one, ()) if remove else tag not in there[one])]
    if changed:
        for one in changed:
            before = own.get(one, ())
            own[one] = tuple(each for each in before if each != tag) if remove else (*before, tag)
        if len({each for tags in own.values() for each in tags}) > _MOST:
            raise SimileError(
                f"'{alias}' would have more than {_MOST:,} different tags; use a column of the source."
            )
        version = _write(store, home, alias, live, own, changed, tag if remove else None)
    else:
        version = live.name
    rest = "had_it_not" if remove else "had_it"
    return {
        "collection": alias,
        "version": version,
        "tag": tag,
        "untagged" if remove else "tagged": len(changed),
        rest: len(wanted) - len(changed),
    }


def checked_tag(tag: object) -> str:
    """A tag without spaces around it.

    Raises:
        SimileError: it is no text, is empty or too long, or has characters that cannot be shown.

    >>> checked_tag("  to print ")
    'to print'
    """
    text = tag.strip() if isinstance(tag, str) else ""
    if not text or len(text) > _LONGEST or printable(text) != text:
        raise SimileError(
            f"{printable(repr(tag), 60)} is no tag; write 1 to {_LONGEST} characters on one line."
        )
    return text


def own_tags(store: Store, version: str | None) -> dict[str, tuple[str, ...]]:
    """Id -> tags that people gave to a picture, of a version; not those of the source."""
    data = store.attachment(version, TAGGED) if version else None
    found: dict[str, tuple[str, ...]] = {}
    for tag, ids in (json.loads(data) if data else {}).items():
        for one in ids:
            found[one] = (*found.get(one, ()), tag)
    return found


def with_tags(kinds: Mapping[str, FieldKind], own: Mapping[str, Any]) -> dict[str, FieldKind]:
    """The kinds of a version whose pictures have tags of people, if there are any."""
    return {**kinds, TAGS: _KIND} if own and kinds.get(TAGS, _KIND).kind == "text" else dict(kinds)


def carry_tags(store: Store, version: str | None, target: str) -> dict[str, tuple[str, ...]]:
    """Keep the tags of a version with the one that takes its place; returns them as `own_tags` does."""
    data = store.attachment(version, TAGGED) if version else None
    if data and version != target:
        store.attach(target, TAGGED, data)
    return own_tags(store, version)


def apply_tags(
    store: Store,
    home: str,
    version: str,
    own: Mapping[str, Sequence[str]],
    vectors: Sequence[str],
) -> None:
    """Write tags into points of a version that lack them, as after they were made anew from the source.

    Args:
        home: where thumbnails may lie as files.
        own: as of `own_tags`.
        vectors: names of all that its points have.
    """
    for some in in_batches(sorted(own), _AT_ONCE):
        there = _values(store, version, some)
        lacking = [one for one in some if one in there and not set(own[one]) <= set(there[one])]
        _set(store, home, version, lacking, own, vectors)


def _write(
    store: Store,
    home: str,
    alias: str,
    live: Version,
    own: Mapping[str, Sequence[str]],
    changed: Sequence[str],
    removed: str | None,
) -> str:
    target = live.name
    if not store.in_place:
        drop_unfinished(store, alias, except_for=None)
        target = new_version(alias)
        store.copy(live.name, target)
        for name in set(store.attachments(live.name)) - {LIVE_RECORD, BUILD}:
            store.attach(target, name, store.attachment(live.name, name) or b"")
    by_tag: dict[str, list[str]] = {}
    for one in sorted(own):
        for tag in own[one]:
            by_tag.setdefault(tag, []).append(one)
    if TAGS not in live.manifest.kinds:
        config = config_of(live.manifest, live.manifest.collection)
        store.add_indexes(target, config, {TAGS: models.PayloadSchemaType.KEYWORD})
    # First what shall be: if this is cut short on a server, the same command or the next job does the rest.
    store.attach(target, TAGGED, json.dumps(by_tag).encode())
    for some in in_batches(changed, _AT_ONCE):
        _set(store, home, target, some, own, live.manifest.vector_names, removed)
    store.finish(target)
    kinds = {**live.manifest.kinds, TAGS: _KIND}
    store.write_manifest(target, live.manifest.model_copy(update={"kinds": kinds, "filters": tuple(kinds)}))
    make_live(store, alias, target, "tagged")
    return target


def _set(
    store: Store,
    home: str,
    version: str,
    ids: Sequence[str],
    own: Mapping[str, Sequence[str]],
    vectors: Sequence[str],
    removed: str | None = None,
) -> None:
    """Write the points of `ids` again with their tags."""
    records = store.retrieve(version, list(ids), with_vectors=list(vectors)) if ids else []
    if not records:
        return
    ThumbnailFiles(home).put_away(version.partition("__")[0], records)
    payloads = []
    for record in records:
        payload = dict(record.payload or {})
        kept = [each for each in values_of(payload.pop(TAGS, None)) if each != removed]
        tags = list(dict.fromkeys([*kept, *own.get(str(record.id), ())]))
        payloads.append(payload | ({TAGS: tags} if tags else {}))
    rows = {
        name: np.array([record.vector[name] for record in records], np.float32)  # type: ignore[index,call-overload]
        for name in vectors
    }
    store.upsert(version, [str(record.id) for record in records], rows, payloads)


def _values(store: Store, version: str, ids: Iterable[str]) -> dict[str, list[Any]]:
    """Id -> what a picture has in the field; pictures that are not there are missing."""
    return {
        str(record.id): values_of((record.payload or {}).get(TAGS))
        for some in in_batches(ids, _AT_ONCE)
        for record in store.retrieve(version, some, fields=[TAGS])
    }
