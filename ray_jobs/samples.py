"""Index the bundled samples of every collection, and lay them out as maps: python -m ray_jobs.samples"""

from pathlib import Path

from pipeline.home import SEARCHABLE, resolve_home, unfinished_samples
from ray_jobs.index import parse_arguments, resolve_config
from ray_jobs.session import job_parser, print_result, ray_session, report_errors

__all__ = ["main"]

_FIRST = "wikiart"  # what the page opens with, as its pictures are large enough to look at
_CONFIGS = Path(__file__).resolve().parent.parent / "qdrant_config"


def main(arguments: list[str] | None = None) -> None:
    """One JSON line a collection and one a map."""
    parser = job_parser("samples", __doc__)
    parser.add_argument("--limit", type=int, help="rows of each sample")
    options = parser.parse_args(arguments)
    results = []
    with report_errors():
        from pipeline.indexing.job import IndexJob, index_collection, preflight
        from pipeline.map.make_map import make_map
        from pipeline.progress import say
        from pipeline.store import open_store

        home = resolve_home(options.home)
        unfinished = unfinished_samples(home)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("", encoding="utf-8")
        with ray_session():
            for path in sorted(_CONFIGS.glob("*.yaml"), key=lambda path: (path.stem != _FIRST, path.stem)):
                config = resolve_config(parse_arguments([str(path), "--sample"]))
                say(f"{config.title or config.collection}: indexing the bundled sample into {home}")
                job = IndexJob(config, home, limit=options.limit)
                results.append(index_collection(job, preflight(job)).summary())
                unfinished.write_text(SEARCHABLE, encoding="utf-8")
        store = open_store(home)
        for name in [result["collection"] for result in results]:
            results.append(make_map(store, store.aliases()[name]))
        unfinished.unlink()
    for result in results:
        print_result(result)


if __name__ == "__main__":
    main()
