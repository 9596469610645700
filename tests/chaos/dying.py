"""An index job that is killed as soon as it comes to a stage: python -m tests.chaos.dying STAGE …arguments"""

import os
import signal
import sys

from pipeline.indexing import build, job, load
from ray_jobs.index import main

__all__ = ["HALF_LOADED", "MARKED", "STAGES"]

# Stage -> the module that calls it, and what it calls there.
STAGES = {
    "catalogue": (job, "catalogue_of"),
    "fit": (build, "fit"),
    "load": (build, "load_units"),
    "what is removed": (build, "delete_points_of"),
    "check": (build, "check_version"),
    "switch": (build, "make_live"),
    "record": (build, "write_record"),
}


def die(*_: object) -> None:
    """As `kill -9` does it: nothing is put in order."""
    os.kill(os.getpid(), signal.SIGKILL)


# Not before a stage, but within one: when so many units are marked, and what comes after them is not.
HALF_LOADED, MARKED = "half of the load", 2


def die_between_markers() -> None:
    """Die when one more unit is written and not marked: in the embedded store, which the driver writes."""
    load._FLUSHED_EVERY = 1  # units are marked one by one, as those of a large collection are
    leave, left = load.Markers.leave, list[str]()

    def leave_or_die(markers: load.Markers, marker: str) -> None:
        if len(left) == MARKED:
            die()
        leave(markers, marker)
        left.append(marker)

    load.Markers.leave = leave_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1] == HALF_LOADED:
        die_between_markers()
    else:
        module, name = STAGES[sys.argv[1]]
        setattr(module, name, die)
    main(sys.argv[2:])
