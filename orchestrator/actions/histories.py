"""Where the targets of a database stand in its history."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.dispatch.results import Result
from orchestrator.rollout.outcomes import Outcome, Revision, State


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of a database, newest first, and where targets stand."""

    database: str
    revisions: tuple[Revision, ...]
    environments: tuple[str, ...]
    """The environments that were read, in order."""
    standing: dict[str, dict[str, int]]
    """Revision id → environment → number of targets at it. ``""`` stands for empty targets."""
    unreadable: tuple[Outcome, ...] = ()
    """Targets whose heads could not be read, or that are at revisions the scripts don't know."""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """As ``status`` on the same targets: 130 interrupted, else 3 when one is unreadable."""
        if self.interrupted:
            return 130
        return 3 if self.unreadable else 0


_UNREADABLE = frozenset(
    {
        State.UNREACHABLE,
        State.UNKNOWN_REVISION,
        State.INCONSISTENT,
        State.FAILED,
        State.NOT_STARTED,
    }
)


def history_of(database: str, revisions: Sequence[Revision], status: Result) -> History:
    """Count targets by revision and environment. One at several heads counts at each."""
    standing: dict[str, dict[str, int]] = {}
    unreadable = []
    for target, outcome in zip(status.targets, status.outcomes, strict=True):
        if outcome.state in _UNREADABLE:
            unreadable.append(outcome)
            continue
        for head in outcome.heads or ("",):
            counts = standing.setdefault(head, {})
            counts[target.environment] = counts.get(target.environment, 0) + 1
    environments = tuple(dict.fromkeys(target.environment for target in status.targets))
    return History(
        database,
        tuple(revisions),
        environments,
        standing,
        tuple(unreadable),
        interrupted=status.interrupted,
    )
