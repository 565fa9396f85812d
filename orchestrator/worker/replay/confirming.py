"""Compares what replaying left in a target with what building left in another one."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.fleet import NoRoom, ServerTask
from orchestrator.inspection.reading import Source
from orchestrator.worker.connection.session import Session

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Change:
    """What a target's schema was before its revisions, and after: fingerprints."""

    target: str
    before: str | None
    after: str | None


@dataclass
class Confirmation:
    """Of targets that go the same way: whether replaying leads where building does.

    Two of them are compared only where both began with the same schema, which a target that
    drifted did not.
    """

    seen: int = 0
    """Targets that went this way since something is recorded."""
    built: Change | None = None
    is_done: bool = False

    @property
    def wants_fingerprints(self) -> bool:
        """Whether the next target's schema is to be looked at, before and after."""
        return self.seen < _TRIES and not self.is_done

    def note_built(self, change: Change) -> None:
        """A target's revisions were built."""
        self.seen += 1
        if change.before is not None and change.after is not None:
            self.built = change

    def pass_over(self) -> None:
        """A target can't be compared: only some of its revisions were replayed."""
        self.seen += 1

    def differs(self, change: Change) -> bool:
        """Whether a target whose revisions were replayed is unlike the one that was built."""
        self.seen += 1
        if self.built is None or change.before != self.built.before or change.after is None:
            return False
        self.is_done = True
        return change.after != self.built.after


@dataclass
class Confirmations:
    """The ``Confirmation`` of each way that targets go."""

    _of: dict[Hashable, Confirmation] = field(default_factory=dict)

    def of(self, way: Hashable) -> Confirmation:
        """Return that of a way: from which heads, to which."""
        return self._of.setdefault(way, Confirmation())


def fingerprint(target: str, session: Session) -> str | None:
    """Return the fingerprint of a target's schema, ``None`` where it can't be read.

    Through a connection of its own, so that nothing that ``env.py`` or a revision has set on the
    session's counts.
    """
    source = Source(target, session.location, VersionTable(), session.timeouts, 1)
    try:
        readings = list(ServerTask((source,)).read(schemas=True))
    except NoRoom:
        return None
    return readings[0].fingerprint if readings else None
