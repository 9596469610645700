"""Measure retrieval: python -m ray_jobs.evaluate COLLECTION [--protocol all] [--encoder NAME …] …

By default, it measures the vectors of the collection as they are stored: each of 5,000 points is a query.
--protocol reads the source, embeds what is not staged yet, and measures by these protocols; with --encoder
it needs no index. --engine measures what the search engine returns, exact or approximate. --everything
measures all that can be said of a collection's source (of every collection, if none is named), and prints
Markdown tables.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import ProjectionConfig, load_config
from pipeline.errors import SimileError
from pipeline.evaluation.protocols import PROTOCOLS
from pipeline.evaluation.run import DRAWN, TRAINED_ON
from pipeline.home import resolve_home
from pipeline.machine import made_by
from pipeline.progress import say
from pipeline.search import Collection, open_collection
from pipeline.sources import public_name
from pipeline.store import open_store
from ray_jobs.session import job_parser, print_result, ray_session, report_errors

if TYPE_CHECKING:
    from pipeline.evaluation.pool import Pool
    from pipeline.sources import Source

__all__ = ["main"]

_BASELINE = "pypi:efficientnet-lite0"
_CONFIGS = Path(__file__).resolve().parent.parent / "qdrant_config"
_STORED = "measuring what is stored"
# What each way of measuring uses. Other options are refused: figures would not be of what was asked for.
_USED = {
    "--everything": ("baseline", "source", "fields"),
    "--protocol": ("encoder", "baseline", "trained_on", "source", "fields", "limit"),
    "--engine": ("encoder", "source", "split", "fields", "limit"),
    _STORED: ("encoder", "fields", "limit"),
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = job_parser("evaluate", __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "collection", nargs="?", help="an indexed collection, or with --encoder the name of a YAML"
    )
    parser.add_argument(
        "--everything", action="store_true", help="measure all that can be measured; print Markdown"
    )
    parser.add_argument(
        "--protocol", nargs="+", choices=[*PROTOCOLS, "all"], help="protocols to measure by, on the source"
    )
    parser.add_argument(
        "--encoder", action="append", help="encoder to measure instead of the collection's; may be repeated"
    )
    parser.add_argument(
        "--baseline",
        help="a pretrained encoder to measure beside the others by --protocol and --everything; none: do "
        f"without (default: {_BASELINE}, which takes one more pass over all pictures, the first time)",
    )
    parser.add_argument(
        "--trained-on",
        choices=TRAINED_ON,
        help="what the encoders saw of this source; protocols that this spoils are left out (default: train "
        "for networks made by ray_jobs.train, elsewhere for all others)",
    )
    parser.add_argument("--source", help="Hub id, mirror or folder; default: the collection's own")
    parser.add_argument("--split", help="split of --source, for --engine (default: test)")
    parser.add_argument("--fields", nargs="+", help="fields of labels (default: the collection's filters)")
    parser.add_argument("--limit", type=int, help="only the first N queries, or pictures of each split")
    parser.add_argument(
        "--engine", choices=["exact", "approximate"], help="measure what the search engine returns"
    )
    options = parser.parse_args(arguments)
    if refused := _refused(options):
        parser.error(refused)
    return options


def _refused(options: argparse.Namespace) -> str | None:
    """What does not go together, as a sentence."""
    if not options.collection and not options.everything:
        return "name a collection, or give --everything"
    way, *others = [way for way in _USED if getattr(options, way.removeprefix("--"), None)] or [_STORED]
    known = {name for names in _USED.values() for name in names}
    unused = [name for name in sorted(known - set(_USED[way])) if getattr(options, name) is not None]
    if left := [*others, *(f"--{name.replace('_', '-')}" for name in unused)]:
        return f"{way} does not use {left[0]}; leave out {left[0]}"
    if options.split and not options.source:
        return "--split is a split of --source; give --source too"
    if options.source and not options.collection:
        return "--source belongs to one collection; name that collection"
    return None


def _protocols(collection: Collection | None, options: argparse.Namespace) -> list[dict[str, Any]]:
    from pipeline.evaluation.run import measure_pool

    if options.limit and ({"art", "all"} & set(options.protocol) or options.trained_on in DRAWN):
        raise SimileError(
            "--limit draws other queries than those kept out of training, so pictures that were trained on "
            "would be queries; leave out --limit."
        )
    read = _read_source(collection, options)
    wanted = PROTOCOLS if "all" in options.protocol else options.protocol
    return measure_pool(read.pool, read.encoders, wanted, options.trained_on, read.projection, read.baseline)


def _everything(options: argparse.Namespace) -> Iterator[str]:
    """Markdown of the collection that was named, or of each one there is."""
    from pipeline.evaluation.everything import everything_about

    names = [options.collection] if options.collection else sorted(open_store(options.home).aliases())
    if not names:
        raise SimileError("There is no collection to measure; index one with python -m ray_jobs.index.")
    # Said with the first table, so that an error which leaves nothing to print comes alone.
    before = [made_by(_command(options)), ""]
    for name in names:
        each = argparse.Namespace(**(vars(options) | {"collection": name}))
        try:
            read = _read_source(open_collection(name, home=options.home), each)
            for line in everything_about(
                name, read.splits, read.pool, read.encoders, read.projection, read.baseline
            ):
                yield from (*before, line)
                before = []
        except SimileError as error:
            if options.collection:
                raise
            yield from (*(before or [""]), f"### {name}: not measured\n\n{error}")
        before = [""]


def _command(options: argparse.Namespace) -> str:
    """The command that makes the same figures, in the home of whoever runs it."""
    words = ["python", "-m", "ray_jobs.evaluate", *filter(None, [options.collection]), "--everything"]
    if options.baseline:
        words += ["--baseline", options.baseline]
    if options.source:
        words += ["--source", public_name(options.source)]
    return shlex.join([*words, *(["--fields", *options.fields] if options.fields else [])])


@dataclass(frozen=True)
class _Read:
    """A source as it is measured: its splits, their pictures, and who embedded them."""

    splits: Sequence[Source]
    pool: Pool
    encoders: Sequence[str]
    projection: ProjectionConfig
    baseline: str | None


def _read_source(collection: Collection | None, options: argparse.Namespace) -> _Read:
    """Embed what is not staged yet, and read everything."""
    from pipeline.evaluation.pool import read_pool, resolve_splits
    from pipeline.sources import field_kinds

    source, split, fields, projection = _where(collection, options)
    encoders = options.encoder or (collection.encoders if collection is not None else [])
    wanted = options.baseline or _BASELINE
    baseline = None if wanted == "none" else wanted
    if baseline and baseline not in encoders:
        say(
            f"beside them: {baseline}, one more pass over all pictures the first time; --baseline none does "
            "without"
        )
        encoders = [*encoders, baseline]
    splits = resolve_splits(source, split)
    labels = fields or [name for name, kind in field_kinds(splits[0], None).items() if kind.is_label]
    with ray_session():
        pool = read_pool(
            options.collection, splits, encoders, labels, resolve_home(options.home), options.limit
        )
    return _Read(splits, pool, encoders, projection, baseline)


def _engine(collection: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    from pipeline.evaluation.engine import measure_engine, source_queries

    fields, exact = options.fields or list(collection.manifest.labels), options.engine == "exact"
    encoders = options.encoder or collection.encoders
    if not options.source:
        return [measure_engine(collection, name, fields, exact, limit=options.limit) for name in encoders]
    split = options.split or "test"
    asked = f"{Path(public_name(options.source)).name} {split}"
    with ray_session():
        return [
            measure_engine(
                collection,
                name,
                fields,
                exact,
                source_queries(collection, name, options.source, split, options.limit),
                asked,
            )
            for name in encoders
        ]


def _where(
    collection: Collection | None, options: argparse.Namespace
) -> tuple[str, str, list[str] | None, ProjectionConfig]:
    """Source, its training split, label fields and projection, from the collection or its YAML."""
    if collection is not None:
        manifest = collection.manifest
        fields = options.fields or list(collection.manifest.labels)
        return (
            options.source or manifest.source,
            manifest.split,
            fields,
            manifest.projection or ProjectionConfig(),
        )
    path = _CONFIGS / f"{options.collection}.yaml"
    if path.is_file():
        config = load_config(str(path))
        fields = options.fields or config.filters
        return options.source or config.source, config.split, fields, config.projection
    if options.source:
        return options.source, "train", options.fields, ProjectionConfig()
    raise SimileError(f"There is neither a collection nor a YAML '{options.collection}'; give --source.")


def _opened(options: argparse.Namespace) -> Collection | None:
    """The collection; None where there is none of this name and other encoders are measured."""
    if options.encoder and options.protocol and options.collection not in open_store(options.home).aliases():
        return None
    return open_collection(options.collection, home=options.home)


def _measure(collection: Collection | None, options: argparse.Namespace) -> list[dict[str, Any]]:
    if options.protocol or collection is None:
        return _protocols(collection, options)
    if options.engine:
        return _engine(collection, options)
    from pipeline.evaluation.run import measure_stored

    encoders = options.encoder or collection.encoders
    return measure_stored(
        collection, encoders, options.fields or list(collection.manifest.labels), options.limit
    )


def main(arguments: list[str] | None = None) -> None:
    """Tables on stderr, one JSON line on stdout; kept with the collection where there is one.

    With --everything, Markdown on stdout.
    """
    options = parse_arguments(arguments)
    with report_errors():
        from pipeline.evaluation.results import keep, table_lines

        if options.everything:
            for line in _everything(options):
                print(line, flush=True)
            return
        collection = _opened(options)
        results = _measure(collection, options)
        if collection is not None:
            store, version = collection.live
            keep(store, version.name, results)
    for line in table_lines(results):
        say(line)
    print_result({"collection": options.collection, "kept": collection is not None, "results": results})


if __name__ == "__main__":
    main()
