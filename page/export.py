"""Hits to take along, as files of the page: a CSV table, JSON, and a contact sheet of their pictures."""

from collections.abc import Sequence

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.collection_library import CollectionLibrary
from page.components.cards import Card
from pipeline.errors import SimileError
from pipeline.search.contact_sheet import contact_sheet
from pipeline.search.hit_table import as_csv, as_json, ranks

__all__ = ["export_files"]


def export_files(library: CollectionLibrary, cards: Sequence[Card]) -> list[str]:
    """Paths of the CSV table, the JSON and the contact sheet of these cards, where the page may serve them.

    Raises:
        SimileError: there are no cards, or the collection cannot be opened.
    """
    if not cards:
        raise SimileError("there is nothing to export yet; search for something first")
    found = library.open(cards[0].collection)
    hits = {hit.id: hit for hit in found.get_many([shown.id for shown in cards])}
    kept = [shown for shown in cards if shown.id in hits]
    rows, ranked = [hits[shown.id] for shown in kept], ranks(kept)
    about = {"collection": found.name, "version": found.version, "metric": kept[0].metric if kept else None}
    captions = [f"{shown.closeness}  {shown.label}" for shown in kept]
    made = {
        f"{found.name}.csv": as_csv(rows, ranked).encode("utf-8-sig"),  # the mark by which Excel knows UTF-8
        f"{found.name}.json": as_json(rows, ranked, about).encode(),
        f"{found.name}.jpg": contact_sheet([hit.thumbnail for hit in rows], captions),
    }
    return [save_bytes_to_cache(data, name, get_upload_folder()) for name, data in made.items()]
