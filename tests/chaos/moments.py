"""The moments at which something is killed."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.project_folder import Started
from tests.shared_servers import AnyServer

_LONGEST = 2.0
_PAUSING = {
    True: "SELECT id FROM information_schema.processlist "
    "WHERE db LIKE '{}%' AND state = 'User sleep'",
    False: "SELECT pid FROM pg_stat_activity WHERE datname LIKE '{}%' AND wait_event = 'PgSleep'",
}


def taken_up(events: Path) -> bool:
    """Whether the run has begun."""
    with suppress(OSError):
        return events.stat().st_size > 0
    return False


def wait_for(started: Started, events: Path, began: float, when: float) -> bool:
    """Wait until something is to be killed; false where the command has ended before."""

    def until(condition: Callable[[], bool]) -> bool:
        while started.process.poll() is None:
            if condition():
                return True
            time.sleep(0.005)
        return False

    if when < 0:
        return until(lambda: time.monotonic() >= began - when)
    if not until(lambda: taken_up(events)):
        return False
    begun = time.monotonic()
    return until(lambda: time.monotonic() >= begun + when)


def pausing(server: AnyServer, prefix: str) -> bool:
    """Wait, not for long, until a target's server pauses in the midst of a revision."""
    began = time.monotonic()
    while time.monotonic() - began < _LONGEST:
        if server.execute(_PAUSING[server.ddl_commits].format(prefix)):
            return True
        time.sleep(0.01)
    return False
