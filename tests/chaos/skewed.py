"""An index job on a machine whose clock is wrong: python -m tests.chaos.skewed SECONDS …arguments"""

import datetime
import sys
import time

from ray_jobs.index import main

__all__ = ["set_clock"]


def set_clock(seconds: float) -> None:
    """Let what this process calls now be so many seconds later; intervals stay what they are."""
    real, now = time.time, datetime.datetime

    class Skewed(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return now.now(tz) + datetime.timedelta(seconds=seconds)

    time.time = lambda: real() + seconds
    datetime.datetime = Skewed  # type: ignore[misc]


if __name__ == "__main__":
    from pipeline.indexing import lock  # it looks the clock up in the module, whenever it asks

    assert lock.datetime is datetime
    set_clock(float(sys.argv[1]))
    main(sys.argv[2:])
