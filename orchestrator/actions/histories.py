"""Where the targets of a database stand in its history."""

from collections.abc import Sequence

from orchestrator.actions.results import History, Result
from orchestrator.rollout.outcomes import Revision, State

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
