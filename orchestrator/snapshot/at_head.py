"""Targets that an upgrade has nothing to do for: found out without a worker for each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.snapshot.reader import SnapshotReader

_FRESH = 2.0
"""Seconds for which a reading is believed."""


@dataclass(slots=True)
class AtHead:
    """Targets that were at head before the command started.

    Each is read again when its turn comes, at once with all others of its environment that still
    wait for theirs; what was read then is believed for some seconds.
    """

    snapshot: SnapshotReader
    candidates: Sequence[Target]
    """They were at head when ``snapshot`` read them."""
    _names: set[str] = field(default_factory=set)
    _read: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    _at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.candidates = self.snapshot.tables.confirmed(self.candidates)
        self._names = {target.name for target in self.candidates}

    def outcome(self, target: Target) -> Outcome | None:
        """Return the outcome of a target that is still at head; ``None`` for any other."""
        if target.name not in self._names:
            return None
        environment = target.environment
        if time.monotonic() - self._at.get(environment, 0.0) > _FRESH:
            waiting = [
                t for t in self.candidates if t.name in self._names and t.environment == environment
            ]
            self._read[environment] = self.snapshot.at_head(waiting)
            self._at[environment] = time.monotonic()
        self._names.discard(target.name)
        found = self._read[environment].get(target.name)
        return None if found is None else replace(found, state=State.UNCHANGED)
