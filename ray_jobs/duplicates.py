"""Find copies in a collection: python -m ray_jobs.duplicates COLLECTION [--keep largest] [--mirrored] …

Ray tasks search from every picture by the index, and compare the pixels of those that are near. Nothing is
deleted: the result is a page, tables, and a list of paths.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import SimileError
from pipeline.home import is_remote, resolve_home
from ray_jobs.session import add_server, job_parser, print_result, ray_session, report_errors

if TYPE_CHECKING:
    from pipeline.store import Store
    from pipeline.store.id_slices import IdSlice

__all__ = ["main"]

T = TypeVar("T")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from pipeline.duplicates.pairs import SAME_PIXELS

    parser = job_parser("duplicates", __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection")
    parser.add_argument(
        "--threshold",
        type=float,
        default=SAME_PIXELS,
        help="correlation of pixels at or above which two pictures are the same, 0 to 1 (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--near",
        type=float,
        metavar="COSINE",
        help="compare neighbours at or above this cosine (default: measured on copies of 48 pictures)",
    )
    parser.add_argument("--mirrored", action="store_true", help="count mirrored pictures as copies, too")
    parser.add_argument(
        "--keep",
        default="largest",
        help="which one of a group to keep: largest, oldest, FIELD (its least value) or -FIELD (its "
        "greatest); default: %(default)s",
    )
    parser.add_argument("--encoder", help="encoder whose neighbours are compared (default: the first)")
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="absolute folder or URL of the result (default: duplicates/COLLECTION in the home)",
    )
    add_server(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """One JSON line: how many copies, and where the files are."""
    options = parse_arguments(arguments)
    with report_errors():
        result = _find(options)
    print_result(result)


def _find(options: argparse.Namespace) -> dict[str, Any]:
    from pipeline.duplicates.assemble import assemble
    from pipeline.duplicates.candidates import candidate_cosine
    from pipeline.duplicates.groups import keep_rule
    from pipeline.duplicates.kept import DUPLICATES, kept_duplicates
    from pipeline.duplicates.listing import rows_of, write_listing
    from pipeline.duplicates.page import duplicates_page
    from pipeline.duplicates.pairs import PairSearch
    from pipeline.duplicates.signatures import Signatures, read_signatures
    from pipeline.encoders.precomputed import is_precomputed
    from pipeline.home import write_file
    from pipeline.search import open_collection
    from pipeline.store.authority import trust
    from pipeline.store.id_slices import slices_for

    folder = _output(options)
    for name, value in (("--threshold", options.threshold), ("--near", options.near)):
        if value is not None and not 0 <= value <= 1:
            raise SimileError(f"{name} is {value}; it must be between 0 and 1.")
    trust(options.ca)
    collection = open_collection(options.collection, options.home, options.url)
    store, version = collection.live
    entry = version.manifest.encoder(options.encoder)
    rule = keep_rule(options.keep, collection.kinds, options.collection)
    started = time.perf_counter()
    near = options.near
    if near is None and is_precomputed(entry.name):
        raise SimileError(
            f"The vectors of '{entry.name}' were made elsewhere, so it cannot be measured how near copies "
            "are; give a cosine with --near."
        )
    if near is None:
        near = round(candidate_cosine(store, version, entry, options.mirrored), 3)
    slices = slices_for(collection.count)
    read = partial(read_signatures, version.name)
    with ray_session():
        spent: list[float] = []
        signatures = Signatures.joined(_over(read, store, slices, "read", spent))
        search = PairSearch(version, entry, signatures, near, options.threshold, options.mirrored)
        found = assemble(store, version.name, _over(search.in_slice, store, slices, "copies", spent), rule)
    seconds = round(time.perf_counter() - started, 1)
    settings = {"encoder": entry.name, "near from cosine": near, "same from correlation": options.threshold}
    files = write_listing(rows_of(found.groups), folder)
    page = f"{folder}/duplicates.html"
    write_file(page, duplicates_page(store, version, found, settings, seconds).encode())
    store.attach(version.name, DUPLICATES, kept_duplicates(found).model_dump_json().encode())
    return {
        "collection": options.collection,
        "version": version.name,
        "points": found.points,
        "groups": len(found.groups),
        "copies": found.copies,
        "near": near,
        "seconds": seconds,
        "processor_seconds": round(sum(spent), 1),
        "files": [page, *files.values()],
    }


def _over(
    work: "Callable[[Store, IdSlice], T]",
    store: "Store",
    slices: "Sequence[IdSlice]",
    stage: str,
    spent: list[float],
) -> "Iterator[T]":
    """The results of all slices, with a bar; the processor time of each, in seconds, is added to `spent`."""
    from pipeline.progress import progress
    from ray_jobs.over_slices import over_slices

    with progress(stage, len(slices), unit="slice") as bar:
        for _, (result, seconds) in over_slices(partial(_timed, work), store, slices):
            spent.append(seconds)
            bar.update(1)
            yield result


def _timed(work: "Callable[[Store, IdSlice], T]", store: "Store", within: "IdSlice") -> "tuple[T, float]":
    began = time.process_time()
    result = work(store, within)
    return result, time.process_time() - began


def _output(options: argparse.Namespace) -> str:
    if options.output is None:
        return f"{resolve_home(options.home)}/duplicates/{options.collection}"
    folder: str = options.output.rstrip("/")
    if not is_remote(folder) and not folder.startswith("/"):
        raise SimileError(
            f"--output is '{options.output}'; give an absolute folder or a URL, as a submitted job runs in a "
            "copy of the folder."
        )
    return folder


if __name__ == "__main__":
    main()
