"""Try quantizations and searches on a collection's staged vectors: python -m ray_jobs.tune wikiart"""

import argparse

import yaml

from pipeline.home import resolve_home
from pipeline.index_quality.tuning import Trial, Tuning, frontier, tune_collection
from pipeline.progress import say
from ray_jobs.session import job_parser, print_result, report_errors

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = job_parser("tune", __doc__)
    parser.add_argument("collection")
    parser.add_argument("--encoder", help="one of the collection's encoders (default: the first)")
    parser.add_argument("--points", type=int, default=50_000, metavar="N", help="vectors to use, at most")
    parser.add_argument(
        "--recall", type=float, default=0.99, help="recall@10 that the recommended settings must reach"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """A table on stderr and one JSON line on stdout."""
    options = parse_arguments(arguments)
    with report_errors():
        tuning = tune_collection(
            resolve_home(options.home),
            options.collection,
            options.encoder,
            points=options.points,
            recall=options.recall,
            after_each=lambda trial: say(_line(trial)),
        )
        _print_recommendation(tuning)
    print_result(tuning.summary())


def _print_recommendation(tuning: Tuning) -> None:
    say("\nfrontier of recall, RAM and time:")
    for trial in frontier(tuning.trials):
        say(_line(trial) + ("  <- recommended" if trial is tuning.best else ""))
    say("\n" + yaml.safe_dump(tuning.recommended, sort_keys=False))


def _line(trial: Trial) -> str:
    settings = " ".join(f"{key}={value}" for key, value in (trial.quantization | trial.search).items())
    memory = f"{trial.code_bytes:6.0f} + {trial.link_bytes:3.0f} bytes"
    return f"{settings:<62} recall@10 {trial.recall:.4f}  {memory}  {trial.ms:6.2f} ms"


if __name__ == "__main__":
    main()
