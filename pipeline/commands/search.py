"""`python -m pipeline search PICTURE … --collection NAME`: the nearest pictures of each one that is given."""

import argparse
import json
import os
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ImageError, SimileError
from pipeline.progress import say

if TYPE_CHECKING:
    from pipeline.commands.terminal_pictures import Protocol
    from pipeline.search import Collection, Example, Found, Settings

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "search"
HELP = "find pictures that look like those that are given"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is searched from, where, and how the answer is told."""
    from pipeline.commands.terminal_pictures import PROTOCOLS
    from pipeline.filter_texts import FILTER_HELP

    parser.add_argument(
        "picture", nargs="*", type=Path, help="a picture, or a folder of pictures; each is a query of its own"
    )
    parser.add_argument("--collection", required=True, help="collection to search in")
    parser.add_argument(
        "--id", action="append", default=[], help="search from a stored picture; may be repeated"
    )
    parser.add_argument(
        "--vector",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="search by vectors as the encoder makes them: .npy, or a JSON list; may be repeated",
    )
    parser.add_argument("--words", action="append", default=[], help="search by words; may be repeated")
    parser.add_argument(
        "--colour",
        action="append",
        default=[],
        metavar="#AA3311",
        help="search by a colour, alone or with the others; may be repeated, five times at most",
    )
    parser.add_argument(
        "--colours-of", type=Path, metavar="FILE", help="search by the five main colours of a picture"
    )
    parser.add_argument(
        "-k", "--hits", type=int, default=10, help="hits of each query (default: %(default)s)"
    )
    parser.add_argument("--metric", default="cosine", help="cosine or hamming (default: %(default)s)")
    parser.add_argument("--encoder", help="one of the collection's encoders (default: the first)")
    parser.add_argument("--filter", action="append", default=[], metavar="FIELD=VALUE", help=FILTER_HELP)
    parser.add_argument(
        "--exact", action="store_true", help="compare with every picture instead of the index"
    )
    parser.add_argument("--open", type=Path, metavar="SHEET.jpg", help="write a contact sheet and open it")
    parser.add_argument(
        "--thumbnails",
        choices=["auto", "none", *PROTOCOLS],
        default="auto",
        help="show pictures in the terminal (default: auto, if the terminal says that it can)",
    )


@dataclass(frozen=True)
class Answer:
    """A query by its name for people, and what was found."""

    query: str
    found: "Found"


def run(options: argparse.Namespace) -> str:
    """A table a query, or a line of JSON a query.

    Raises:
        SimileError: as `Collection.find`; or none of the pictures could be used.
    """
    from pipeline.filter_texts import read_filters
    from pipeline.search import Settings, open_collection

    collection = open_collection(options.collection, options.home, options.url)
    filters = read_filters(options.filter) or None
    settings = Settings(
        options.metric,
        options.hits,
        filters=filters,
        exact=options.exact,
        encoder=options.encoder,
        colours=_colours(options),
    )
    answers = list(_answers(collection, _queries(options, settings.colours), settings))
    if not answers:
        raise SimileError("None of the pictures could be searched with; the lines above say why.")
    if options.open:
        _open_sheet(answers, options.open)
    if options.json:
        return "\n".join(_as_line(collection, answer, settings) for answer in answers)
    protocol = _protocol(options.thumbnails)
    return "\n\n".join(_as_text(answer, protocol) for answer in answers)


def _colours(options: argparse.Namespace) -> tuple[str, ...]:
    """The palette that was asked for, by its colours or by a picture that has them."""
    from pipeline.search import colours_of

    if options.colour and options.colours_of:
        raise SimileError("Give either --colour or --colours-of, not both.")
    return tuple(colours_of(options.colours_of) if options.colours_of else options.colour)


def _queries(options: argparse.Namespace, colours: Sequence[str]) -> Iterator[tuple[str, "Example | None"]]:
    """Each query with its name for people; None where there are colours alone."""
    from pipeline.search import Example
    from pipeline.sources.extensions import PICTURES, kind_of

    if not (options.picture or options.id or options.words or options.vector):
        if not colours:
            raise SimileError(
                "Name what to search from: a picture, a folder of pictures, --id, --words, --vector or "
                "--colour."
            )
        yield " ".join(colours), None
    for path in options.picture:
        if not path.is_dir():
            yield str(path), Example(picture=path)
            continue
        files = sorted(file for file in path.rglob("*") if file.is_file() and kind_of(file.name) in PICTURES)
        if not files:
            raise SimileError(f"There are no pictures in the folder '{path}'.")
        yield from ((str(file), Example(picture=file)) for file in files)
    yield from ((point, Example(id=point)) for point in options.id)
    yield from ((words, Example(text=words)) for words in options.words)
    for path in options.vector:
        vectors = _vectors_in(path)
        names = [f"{path}[{at}]" for at in range(len(vectors))] if len(vectors) > 1 else [str(path)]
        yield from ((name, Example(vector=vector)) for name, vector in zip(names, vectors, strict=True))


def _vectors_in(path: Path) -> list[Any]:
    """The vectors of a file: one, or a list of them."""
    import numpy as np

    try:
        if path.suffix == ".npy":
            given = np.load(path, allow_pickle=False).tolist()
        else:
            given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SimileError(f"'{path}' cannot be read: {error.strerror}.") from None
    except ValueError:
        raise SimileError(
            f"'{path}' holds no vectors; give a .npy file of numbers, or a list of numbers as JSON."
        ) from None
    several = isinstance(given, list) and bool(given) and isinstance(given[0], list)
    return given if several else [given]


def _answers(
    collection: "Collection", queries: Iterator[tuple[str, "Example | None"]], settings: "Settings"
) -> Iterator[Answer]:
    """One for each query; a file that is no picture is told on stderr, and the others go on."""
    for name, example in queries:
        try:
            yield Answer(name, collection.find([example] if example else [], settings=settings))
        except ImageError as error:
            say(f"left out: {error}")


def _as_line(collection: "Collection", answer: Answer, settings: "Settings") -> str:
    from pipeline.search.hit_table import ranks, row_of

    hits = answer.found.hits
    told: dict[str, Any] = {
        "query": answer.query,
        "collection": collection.name,
        "version": collection.version,
        "metric": settings.metric,
        "threshold": answer.found.threshold,
        "hits": [row_of(hit, rank) for hit, rank in zip(hits, ranks(hits), strict=True)],
    }
    return json.dumps(told, default=str)


def _as_text(answer: Answer, protocol: "Protocol | None") -> str:
    from pipeline.commands.terminal_pictures import in_terminal
    from pipeline.commands.text_table import text_table
    from pipeline.printable import printable

    hits = answer.found.hits
    rows = [[at, hit.score, hit.distance, hit.label, hit.place, hit.id] for at, hit in enumerate(hits, 1)]
    table = text_table(["", "score", "distance", "label", "place", "id"], rows)
    pictures = "".join(in_terminal(hit.image(), protocol) for hit in hits) if protocol else ""
    return f"{printable(answer.query)}\n" + (f"{pictures}\n" if pictures else "") + table


def _protocol(wanted: str) -> "Protocol | None":
    from pipeline.commands.terminal_pictures import PROTOCOLS, protocol_of

    if wanted == "auto":
        return protocol_of() if sys.stdout.isatty() else None
    return next((known for known in PROTOCOLS if known == wanted), None)


def _open_sheet(answers: Sequence[Answer], path: Path) -> None:
    """Write the hits of all queries as a contact sheet, and show it where there is a screen."""
    from pipeline.search.contact_sheet import contact_sheet

    captions, thumbnails = [], []
    for answer in answers:
        for hit in answer.found.hits:
            thumbnails.append(hit.thumbnail)
            name = f"{Path(answer.query).name}: " if len(answers) > 1 else ""
            captions.append(f"{name}{hit.score:.3f}  {hit.label}")
    try:
        path.write_bytes(contact_sheet(thumbnails, captions))
    except OSError as error:
        raise SimileError(f"'{path}' cannot be written: {error.strerror}.") from None
    say(f"contact sheet: {path.absolute()}")
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(path.absolute().as_uri())
