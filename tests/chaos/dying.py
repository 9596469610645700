"""An index job that is killed as soon as it comes to a stage: python -m tests.chaos.dying STAGE …arguments"""

import os
import signal
import sys

from pipeline.indexing import build, job
from ray_jobs.index import main

__all__ = ["STAGES"]

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


if __name__ == "__main__":
    module, name = STAGES[sys.argv[1]]
    setattr(module, name, die)
    main(sys.argv[2:])
