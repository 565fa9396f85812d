"""Ctrl-C while a command runs: once to finish what runs, twice to stop it."""

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Counts Ctrl-C (and SIGTERM) instead of dying of it, for as long as it is entered.

    Outside of the main thread Python delivers no signals; then it counts nothing.
    """

    def __init__(self) -> None:
        self.presses = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._press) for s in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _press(self, _: int, __: FrameType | None) -> None:
        self.presses += 1
