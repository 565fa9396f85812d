"""Signing in: codes that work once, and a limit for who guesses."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.config.roles import Role

_CODE_FOR = 600.0
_TRIES = 10
_WITHIN = 300.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class OneTimeCodes:
    """Codes that sign whoever has the terminal in, once."""

    clock: Callable[[], float] = time.monotonic
    _codes: dict[str, tuple[str, Role, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, name: str, role: Role) -> str:
        """Make a code for ten minutes."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._codes[code] = name, role, self.clock() + _CODE_FOR
        return code

    def take(self, code: str) -> tuple[str, Role] | None:
        """Return whom a code signs in, which it does no more; ``None`` for no good one."""
        with self._lock:
            found = self._codes.pop(code, None)
        return None if found is None or self.clock() >= found[2] else (found[0], found[1])


@dataclass(slots=True)
class SignInLimit:
    """Counts who failed to sign in, so that nobody tries for long."""

    clock: Callable[[], float] = time.monotonic
    _failures: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, address: str) -> int:
        """Return for how many seconds an address may not try; 0 where it may."""
        with self._lock:
            recent = self._recent(address)
            if len(recent) < _TRIES:
                return 0
            return max(1, round(recent[0] + _WITHIN - self.clock()))

    def failed(self, address: str) -> None:
        """Count a failure."""
        with self._lock:
            recent = [*self._recent(address), self.clock()]
            self._failures[address] = recent[-_TRIES:]
            self._failures.move_to_end(address)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self.clock() - _WITHIN
        return [at for at in self._failures.get(address, ()) if at > since]
