"""Targets that an upgrade has nothing to do for: found out without a worker for each."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.actions.crew import Crew
from orchestrator.actions.survey import Survey
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.jobs import Verb


def nothing_to_do(
    crew: Crew, verb: Verb, targets: Sequence[Target], revision: str
) -> Callable[[Target], Outcome | None]:
    """Return what knows the outcome of targets that are at head.

    All are read at once before the command starts. Each is read again, with the others of its
    environment, when the first of them has its turn: only what still stands there is believed.
    """
    if verb is not Verb.UPGRADE or revision != "heads":
        return lambda _: None
    survey = Survey(crew)
    before = survey.at_head(targets)
    again: dict[str, dict[str, Outcome]] = {}

    def settled(target: Target) -> Outcome | None:
        if target.name not in before:
            return None
        environment = target.environment
        if environment not in again:
            some = [t for t in targets if t.name in before and t.environment == environment]
            again[environment] = survey.at_head(some)
        outcome = again[environment].get(target.name)
        return None if outcome is None else replace(outcome, state=State.UNCHANGED)

    return settled
