"""What is to be done in a while, whatever happens until then."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Later:
    """Undoes after a while what was done to somebody, each in a thread of its own."""

    _timers: list[threading.Timer] = field(default_factory=list)
    _errors: list[Exception] = field(default_factory=list)

    def after(self, seconds: float, undo: Callable[[], None]) -> None:
        """Call ``undo`` in so many seconds."""
        timer = threading.Timer(seconds, self._call, (undo,))
        timer.start()
        self._timers.append(timer)

    def settle(self) -> None:
        """Wait until all is undone. Raises what one of them has raised."""
        while self._timers:
            self._timers.pop().join()
        if self._errors:
            raise self._errors.pop()

    def _call(self, undo: Callable[[], None]) -> None:
        try:
            undo()
        except Exception as error:  # noqa: BLE001 - raised again by settle()
            self._errors.append(error)
