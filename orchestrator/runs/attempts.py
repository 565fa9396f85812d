"""What is known of the attempts at a target in a run, and what the next one must know."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.rollout.events import RevisionCommitting
from orchestrator.rollout.outcomes import RETRY, Outcome, State
from orchestrator.worker.jobs import Committing

Heads = tuple[str, ...]
_LOOK = f"once it can be reached, let the run look: {RETRY}"


@dataclass(slots=True)
class Attempts:
    """The attempts at one target in one run, those of earlier processes included."""

    number: int = 0
    """Of the latest attempt; 0 where there was none."""
    committing: tuple[str, ...] = ()
    """Revisions that attempts whose end nobody saw were about to change for good."""
    unseen: bool = False
    """Nobody saw the end of the latest attempt."""
    verify_only: bool = False
    """The next attempt only tells what became of the ones before."""
    origin: Heads | None = None
    """Where the run found the target; ``None`` where that is not to be held against it."""
    revision: str | None = None
    """The revision that the running attempt has reached."""
    lost_at: float = 0.0
    """When it was lost, by this process's clock; 0 where an earlier process lost it."""
    loss: str = ""
    """How the latest attempt whose end nobody saw was lost."""
    denied: bool = False
    """A revision was not let through because it could not be recorded."""
    begun: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Revisions that the running attempt was about to commit, each with those that may follow."""

    @property
    def lost_for(self) -> float:
        """Seconds since nobody sees what became of it; a long time where an earlier process
        lost it."""
        return time.monotonic() - self.lost_at

    def start(self) -> None:
        """Count another attempt."""
        self.number += 1
        self.revision, self.denied, self.begun = None, False, {}

    def committing_at(self, now: int, target: str, asked: Committing) -> RevisionCommitting:
        """Return what is to be recorded of a revision that asks whether it may commit."""
        words = (asked.revision, asked.statement, asked.following)
        return RevisionCommitting(now, target, self.number, *words)

    def answered(self, asked: Committing, *, go: bool) -> None:
        """Take in whether it may. Where fewer are to follow, nobody asks."""
        if go:
            self.begun[asked.revision] = asked.following
        else:
            self.denied = True

    def lose(self, reason: str) -> None:
        """Nobody saw the end of the running attempt."""
        self.unseen, self.loss = True, reason
        self.lost_at = self.lost_at or time.monotonic()
        begun = (one for first, following in self.begun.items() for one in (first, *following))
        self.committing = tuple(dict.fromkeys((*self.committing, *begun)))

    def seen(self, outcome: Outcome, *, final: bool) -> Outcome:
        """Take in how an attempt ended, and return what is to be said of it.

        One that could not look, because its target was locked or could not be reached, leaves open
        what became of those before it; the last such one leaves its target in doubt, if a
        revision may have been half applied.
        """
        failure = outcome.failure
        if self.unseen and failure is not None and not verified(outcome):
            message = f"{self.loss}; nobody could look since: {failure.message}"
            state = State.IN_DOUBT if final and self.committing else outcome.state
            step = _LOOK if state is State.IN_DOUBT else failure.next_step
            # Retryable: whoever takes it up again is to look first.
            failure = replace(failure, message=message, next_step=step, retryable=True)
            return replace(outcome, state=state, failure=failure)
        if self.loss and failure is not None:
            message = f"{self.loss}: {failure.message}"
            outcome = replace(outcome, failure=replace(failure, message=message))
        self.unseen = self.verify_only = False
        self.loss, self.lost_at, self.committing = "", 0.0, ()
        return outcome


def verified(outcome: Outcome) -> bool:
    """Whether an attempt saw under the target's lock where it stands."""
    failure = outcome.failure
    return outcome.state is not State.LOCKED and (failure is None or not failure.retryable)


def attempts_of(
    names: Mapping[str, Heads | None], earlier: Mapping[str, Attempts], *, held_to: bool
) -> dict[str, Attempts]:
    """Return what is known of each target, by where the plan saw it, to be added to.

    ``held_to``: each must stand where the plan saw it.
    """
    found = {name: earlier.get(name) or Attempts() for name in names}
    if held_to:
        for name, heads in names.items():
            found[name].origin = heads
    return found
