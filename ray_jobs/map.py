"""Lay a collection out as a map: python -m ray_jobs.map wikiart [--points N] [--vector NAME]

A plain program: it reads the finished collection and works on this machine alone. t-SNE is one optimisation
over all points, which more machines would not make faster, so no Ray is started; `ray job submit` runs it
like the others.
"""

import argparse
import os

from pipeline.errors import SimileError
from ray_jobs.session import add_authority, job_parser, print_result, report_errors

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from pipeline.map.make_map import POINTS

    parser = job_parser("map", (__doc__ or "").splitlines()[0])
    parser.add_argument("collection", nargs="+", help="names of collections")
    parser.add_argument("--vector", help="encoder whose vectors are laid out (default: the first)")
    parser.add_argument(
        "--points",
        type=int,
        default=POINTS,
        help="at most this many points, sampled at random (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--url",
        help="address of a Qdrant server; several with commas (default: $QDRANT_URL, else the home)",
    )
    add_authority(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Make each map; one JSON line a collection on stdout."""
    # Threads that wait for others shall sleep: on a busy machine they would burn what the others need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options = parse_arguments(arguments)
    with report_errors():
        from pipeline.map.make_map import make_map
        from pipeline.store import open_store
        from pipeline.store.authority import trust
        from pipeline.store.versions import live_name

        if options.points < 1:
            raise SimileError(f"--points is {options.points}; it must be 1 or more.")
        trust(options.ca)
        store = open_store(options.home, options.url)
        versions = [live_name(store, name) for name in options.collection]  # all exist, or none is drawn
        for version in versions:
            print_result(make_map(store, version, options.vector, options.points, options.seed))


if __name__ == "__main__":
    main()
