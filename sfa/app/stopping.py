"""Hearing at once that the process was asked to stop.

A server first waits for its open answers to end and tells the application only afterwards. Streams that have no end of
their own must be told before, or every stop would take as long as the server is willing to wait.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_stop_signal(act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` before whatever handler stands already. Where there is none, or outside the main thread (where no
    handler can be set), nothing happens: whoever runs the application there stops it by other means."""
    replaced: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        act()
        replaced[signal.Signals(number)](number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            stands = signal.getsignal(number)
            if callable(stands):
                replaced[number] = stands
                signal.signal(number, handle)
    try:
        yield
    finally:
        for number, stands in replaced.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, stands)
