"""Ctrl-C while a command runs, or a terminal that goes away: once to finish what runs, twice to
stop it."""

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts Ctrl-C (SIGTERM, SIGHUP) instead of dying of it, for as long as it is entered.

    A SIGHUP that is ignored already, as ``nohup`` has it, stays ignored. Outside of the main
    thread Python delivers no signals; then it counts nothing.
    """

    def __init__(self) -> None:
        self.presses = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            heard = [s for s in _SIGNALS if not _is_ignored_hang_up(s)]
            self._before = {s: signal.signal(s, self._press) for s in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _press(self, _: int, __: FrameType | None) -> None:
        self.presses += 1


def _is_ignored_hang_up(number: signal.Signals) -> bool:
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
