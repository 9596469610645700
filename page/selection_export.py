"""A selection to take along: table, JSON, paths, contact sheet, and originals where they may be opened."""

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from page.collection_library import CollectionLibrary
from page.components.cards import Card
from page.export import export_files
from page.originals import find_original
from pipeline.search import Collection, Hit
from pipeline.sources.extensions import kind_of

__all__ = ["export_selection"]

_MOST_BYTES = 200_000_000  # of the originals in one file


def export_selection(library: CollectionLibrary, cards: Sequence[Card]) -> tuple[list[str], str]:
    """Paths of the files, where the page may serve them, and what could not be taken along; empty: nothing.

    Raises:
        SimileError: there are no cards, or the collection cannot be opened.
    """
    files = export_files(library, cards)
    found = library.open(cards[0].collection)
    hits = found.get_many([shown.id for shown in cards])
    paths = "".join(f"{place.rpartition(':')[0]}\n" for hit in hits for place in hit.places)
    data = paths.encode("utf-8", "surrogateescape")
    files.append(save_bytes_to_cache(data, f"{found.name}-paths.txt", get_upload_folder()))
    if not library.originals:
        return files, ""
    packed, left = _originals(found, hits)
    return [*files, *([packed] if packed else [])], left


def _originals(found: Collection, hits: Sequence[Hit]) -> tuple[str | None, str]:
    """A ZIP of the files that the pictures were made from, as far as they are here and not too many."""
    folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))
    packed, size, taken = folder / f"{found.name}-originals.zip", 0, 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for hit in hits:
            file = find_original(found, hit.id)
            if file is None:
                continue
            with file:
                if size + Path(file.name).stat().st_size > _MOST_BYTES:
                    break
                # By id, because two folders may have files of one name.
                name = f"{hit.id[:8]}-{PurePosixPath(Path(file.name).name)}"
                with archive.open(name if kind_of(name) else f"{name}.jpg", "w", force_zip64=True) as target:
                    shutil.copyfileobj(file, target)
            size, taken = size + Path(file.name).stat().st_size, taken + 1
    left = len(hits) - taken
    said = f"{left:,} of {len(hits):,} originals are not in the ZIP: not here any more, or too large together"
    if not taken:
        shutil.rmtree(folder)
        return None, said
    return str(packed), said if left else ""
