"""An index job on a machine whose clock is wrong: python -m tests.chaos.skewed SECONDS …arguments"""

import datetime
import sys
from types import SimpleNamespace

from pipeline.locks import lock
from ray_jobs.index import main

__all__ = ["set_clock"]


def set_clock(seconds: float) -> None:
    """Let what the lock of this process calls now be so many seconds later; intervals stay what they are.

    Only there is a clock compared with another machine's. Ray pickles `time.time`, and libraries in C do not
    survive another class in the place of `datetime.datetime`, so these stay as they are.
    """

    class Skewed(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=seconds)

    lock.datetime = SimpleNamespace(**{**vars(datetime), "datetime": Skewed})  # type: ignore[assignment]


if __name__ == "__main__":
    set_clock(float(sys.argv[1]))
    main(sys.argv[2:])
