"""SIGTERM, which `ray job stop` sends, and Ctrl-C end a job in order, with the command that goes on."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.printable import printable_lines

__all__ = ["Stopped", "Stopping", "listen_again", "stoppable"]

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_SECONDS = 25.0  # for putting in order; people and clusters are promised 30


class Stopped(KeyboardInterrupt):
    """Raised in the main thread by a signal. To libraries it is Ctrl-C; no `except Exception` takes it."""


class Stopping:
    """What a job says and does when a signal stops it.

    Attributes:
        go_on: what is said then, such as the command that goes on; "" says nothing.
        signal: the signal that came, None before.
    """

    def __init__(self) -> None:
        self.go_on = ""
        self.signal: signal.Signals | None = None
        self._timer: threading.Timer | None = None

    @property
    def exit_status(self) -> int:
        """As shells have it: 128 and the signal's number, 143 for SIGTERM and 130 for Ctrl-C."""
        return 128 + (self.signal or 0)

    def listen(self) -> None:
        """Take the signals; again after a library has taken them, as `ray.init` does.

        Does nothing outside of the main thread, which alone may take signals.
        """
        if threading.current_thread() is threading.main_thread():
            for each in SIGNALS:
                signal.signal(each, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        """Interrupt the main thread. Only the first signal does: the cleaning up must not be interrupted."""
        if self.signal is not None:
            return
        self.signal = signal.Signals(number)
        self._write(f"stopping after {self.signal.name}. {self.go_on}".rstrip())
        self._timer = threading.Timer(GRACE_SECONDS, self._end)
        self._timer.daemon = True
        self._timer.start()
        raise Stopped

    def done(self) -> None:
        """All is in order: the process need not be ended."""
        if self._timer:
            self._timer.cancel()

    def _end(self) -> None:
        self._write(f"the job did not stop within {GRACE_SECONDS:.0f} s and is ended now")
        os._exit(self.exit_status)

    def _write(self, line: str) -> None:
        """Without Python's buffers, which the signal may have interrupted; on a line of its own."""
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"\n{printable_lines(line)}\n".encode())


_now: Stopping | None = None  # of the job of this process


def listen_again() -> None:
    """Take the signals back from a library; nothing where no job runs."""
    if _now is not None:
        _now.listen()


@contextmanager
def stoppable() -> Iterator[Stopping]:
    """While the block runs, the first SIGTERM or Ctrl-C raises `Stopped` in it; then the program ends.

    Raises:
        SystemExit: with the signal's exit status, whatever else went wrong after the signal.
    """
    global _now
    stopping, outer = Stopping(), _now
    before = {each: signal.getsignal(each) for each in SIGNALS}
    _now = stopping
    stopping.listen()
    try:
        yield stopping
    except KeyboardInterrupt:
        if stopping.signal is None:  # a library had the signal and passed it on
            stopping.signal = signal.SIGINT
        raise SystemExit(stopping.exit_status) from None
    except BaseException:
        if stopping.signal is not None:
            raise SystemExit(stopping.exit_status) from None
        raise
    finally:
        stopping.done()
        _now = outer
        if threading.current_thread() is threading.main_thread():
            for each, handler in before.items():
                signal.signal(each, handler)
