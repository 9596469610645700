"""Train a network: python -m ray_jobs.train training_config/cifar10-cnn.yaml [--source …] [--workers N] …"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.installation import need_torch
from ray_jobs.session import command_again, job_parser, print_result, ray_session, report_errors

if TYPE_CHECKING:
    from pipeline.training.config import TrainingConfig
    from pipeline.training.run import TrainingJob

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = job_parser("train", __doc__)
    parser.add_argument("config", help="the run's YAML")
    parser.add_argument("--source", help="a Hub id, a mirror in the Hub's layout, or a folder of images")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    parser.add_argument(
        "--bits", type=int, metavar="N", help="bits of the code; the run is then called NAME-N"
    )
    parser.add_argument(
        "--protocol",
        choices=["a", "b", "art"],
        help="use only the training images of this evaluation protocol; the run is then called NAME-PROTOCOL",
    )
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--workers", type=int, metavar="N", help="processes, on any machine of the cluster")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of a worker")
    parser.add_argument("--gpu", action="store_true", help="use one GPU per worker")
    parser.add_argument("--output", help="folder for the weights (default: HOME/weights/NAME)")
    parser.add_argument("--runs", help="folder for checkpoints (default: HOME/training)")
    parser.add_argument("--fresh", action="store_true", help="do not continue an earlier run of this name")
    given = sys.argv[1:] if arguments is None else arguments
    return parser.parse_args(given, argparse.Namespace(given=given))


def main(arguments: list[str] | None = None) -> None:
    """Parse, train, write the weights, print one JSON line."""
    options = parse_arguments(arguments)
    # By default Ray starts workers at nice 15, so that any other program goes before them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    with report_errors() as stopping:
        need_torch("training")
        from pipeline.training.run import train

        job = _job(options)
        given = [word for word in options.given if word != "--fresh"]  # which would begin again
        again = command_again("train", given, resolve_home(options.home))
        stopping.go_on = f"To go on from the last checkpoint: {again}"
        with ray_session():
            result = train(job)
    print_result(result)


def _job(options: argparse.Namespace) -> "TrainingJob":
    """The job that the command line describes.

    Raises:
        SimileError: settings that do not fit, or a home that is no folder where folders are not named.
    """
    from pipeline.training.config import load_training_config
    from pipeline.training.run import TrainingJob

    config = _config(options)
    where = resolve_home(options.home)
    if "://" in where and not (options.runs and options.output):
        raise SimileError(
            f"The home {where} is no folder, and training keeps checkpoints and weights in folders that "
            "all nodes see; give --runs and --output."
        )
    home = Path(where)
    return TrainingJob(
        config=config,
        runs=Path(options.runs).absolute() if options.runs else home / "training",
        output=Path(options.output).absolute() if options.output else home / "weights" / config.name,
        command=_command(options),
        source=load_training_config(options.config).data.source,
        gpus=options.gpu,
        fresh=options.fresh,
    )


def _config(options: argparse.Namespace) -> "TrainingConfig":
    """The YAML with what the command line overrides; the run's name says so."""
    from pipeline.training.config import TrainingConfig, load_training_config

    changes = _given(options, "epochs", "workers", "threads")
    data = _given(options, "source", "limit", "protocol")
    config = load_training_config(options.config, **changes, **({"data": data} if data else {}))
    if options.protocol:
        config = config.model_copy(update={"name": f"{config.name}-{options.protocol}"})
    if options.bits:
        # Only what was set is kept, because an encoder that training begins from has its own mean and std.
        network = config.network.model_dump(exclude_unset=True) | {"code_bits": options.bits}
        named = {"name": f"{config.name}-{options.bits}", "network": network}
        config = TrainingConfig.model_validate(config.model_dump(exclude_unset=True) | named)
    return config


def _command(options: argparse.Namespace) -> str:
    """What repeats this run, without the folders of this machine."""
    given = _given(options, "limit", "bits", "protocol", "epochs")
    config = Path(options.config)
    file = config.name if config.is_absolute() else str(config)
    return " ".join(["python -m ray_jobs.train", file, *(f"--{key} {value}" for key, value in given.items())])


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(options, name) for name in names if getattr(options, name)}


if __name__ == "__main__":
    main()
