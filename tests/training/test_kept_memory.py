"""Workers on CPUs keep the memory of a batch."""

import os
import subprocess
import sys

import pytest

from pipeline.training.run import _KEPT_MEMORY

# As workers train in a thread that is not the first one.
FAULTS = f"""
import resource, threading
import numpy as np

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def train():
    np.ones({2**26}, np.uint8)
    before = faults()
    np.ones({2**26}, np.uint8)
    print(faults() - before)

thread = threading.Thread(target=train)
thread.start()
thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library reads these variables")
def test_the_pages_of_a_block_are_cleared_once():
    def pages(more: dict[str, str]) -> int:
        command = [sys.executable, "-c", FAULTS]
        run = subprocess.run(command, env=os.environ | more, check=True, stdout=subprocess.PIPE, text=True)
        return int(run.stdout)

    cleared = pages({})
    assert pages(_KEPT_MEMORY) < 100 < cleared or cleared < 100  # where pages are huge, there are few
