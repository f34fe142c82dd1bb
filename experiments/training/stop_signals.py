"""Turns SIGTERM, which a cluster sends before it takes a machine away, into an exception like that of Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """Says that the process was asked to end by SIGTERM."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raises `Terminated` in the main thread when SIGTERM arrives within the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
