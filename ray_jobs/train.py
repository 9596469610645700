"""Train a network: python -m ray_jobs.train training_config/cifar10-cnn.yaml [--source …] [--workers N] …"""

import argparse
import os
from pathlib import Path
from typing import Any

from pipeline.errors import SimileError
from pipeline.home import resolve_home
from ray_jobs.session import print_result, ray_session, report_errors

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ray_jobs.train", description=__doc__)
    parser.add_argument("config", help="the run's YAML")
    parser.add_argument("--source", help="a Hub id, a mirror in the Hub's layout, or a folder of images")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    parser.add_argument("--bits", type=int, metavar="N", help="of the code; the run is then called NAME-N")
    parser.add_argument(
        "--protocol",
        choices=["a", "b", "art"],
        help="only the training images of this evaluation protocol; the run is then called NAME-PROTOCOL",
    )
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--workers", type=int, metavar="N", help="processes, on any machine of the cluster")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of a worker")
    parser.add_argument("--gpu", action="store_true", help="one GPU a worker")
    parser.add_argument("--output", help="folder for the weights (default: HOME/weights/NAME)")
    parser.add_argument("--runs", help="folder for checkpoints (default: HOME/training)")
    parser.add_argument("--fresh", action="store_true", help="do not continue an earlier run of this name")
    parser.add_argument("--home")
    return parser.parse_args(arguments)


def _command(options: argparse.Namespace) -> str:
    """What repeats this run, without the folders of this machine."""
    shown = [
        f"--{key} {getattr(options, key)}"
        for key in ("limit", "bits", "protocol", "epochs")
        if getattr(options, key)
    ]
    config = Path(options.config)
    file = config.name if config.is_absolute() else str(config)
    return " ".join(["python -m ray_jobs.train", file, *shown])


def main(arguments: list[str] | None = None) -> None:
    """Parse, train, write the weights, print one JSON line."""
    options = parse_arguments(arguments)
    # Ray would start workers at nice 15, as guests of whatever else a machine does; here they are the work.
    os.environ.setdefault("RAY_worker_niceness", "0")
    with report_errors():
        from pipeline.training.config import TrainingConfig, load_training_config
        from pipeline.training.run import TrainingJob, train

        changes: dict[str, Any] = {
            key: getattr(options, key) for key in ("epochs", "workers", "threads") if getattr(options, key)
        }
        data = {
            key: getattr(options, key) for key in ("source", "limit", "protocol") if getattr(options, key)
        }
        config = load_training_config(options.config, **changes, **({"data": data} if data else {}))
        where = resolve_home(options.home)
        if "://" in where and not (options.runs and options.output):
            raise SimileError(
                f"The home {where} is no folder, and training keeps checkpoints and weights in folders that "
                "all nodes see; give --runs and --output."
            )
        home = Path(where)
        if options.protocol:
            config = config.model_copy(update={"name": f"{config.name}-{options.protocol}"})
        if options.bits:
            # What was left out stays so: an encoder that is begun from has its own mean and std.
            network = config.network.model_dump(exclude_unset=True) | {"code_bits": options.bits}
            named = {"name": f"{config.name}-{options.bits}", "network": network}
            config = TrainingConfig.model_validate(config.model_dump(exclude_unset=True) | named)
        job = TrainingJob(
            config=config,
            runs=Path(options.runs).absolute() if options.runs else home / "training",
            output=Path(options.output).absolute() if options.output else home / "weights" / config.name,
            command=_command(options),
            source=load_training_config(options.config).data.source,
            gpus=options.gpu,
            fresh=options.fresh,
        )
        with ray_session():
            result = train(job)
    print_result(result)


if __name__ == "__main__":
    main()
