"""How a run was left, and what became of its targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.dispatch.results import RunEnd
from orchestrator.rollout.events import Event, RunFailed, RunPaused, RunState, RunWaiting
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.state_machine import FAILURES, StateMachine

_STOPPED = frozenset({RunState.WAITING, RunState.PAUSED, RunState.FAILED})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run was left by the process that drove it."""

    end: RunEnd
    worked_on: Mapping[str, Outcome]
    """What became of the targets that this process came to."""
    machine: StateMachine = field(repr=False)

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """An outcome of every target of the run, also of those that it did not come to."""
        machine, found = self.machine, dict(self.worked_on)
        failed = machine.state is RunState.FAILED
        on = () if machine.stage is None else machine.stage.works
        cause = next((w.name for w in on if machine.settled.get(w.name) in FAILURES), None)
        for at, stage in enumerate(machine.stages):
            for work in stage.works:
                if work.name in found:
                    continue
                state = machine.settled.get(work.name)
                if state is not None:
                    found[work.name] = Outcome(work.name, state)
                elif failed and at > machine.position:
                    found[work.name] = Outcome(work.name, State.BLOCKED, blocked_by=cause)
                else:
                    found[work.name] = Outcome(work.name, State.NOT_STARTED)
        return found


@dataclass(slots=True)
class Ending:
    """Remembers why a run stopped."""

    reason: str = ""
    until: int | None = None

    def take(self, event: Event) -> None:
        """Take in something that was recorded."""
        match event:
            case RunWaiting(reason=reason, until=until):
                self.reason, self.until = reason, until
            case RunPaused(reason=reason) | RunFailed(reason=reason):
                self.reason, self.until = reason, None

    def of(self, id_: int, state: RunState, ledger_lost: str | None) -> RunEnd:
        """Return how the run was left."""
        if ledger_lost is not None:
            return RunEnd(id_, RunState.PAUSED, f"its ledger went away: {ledger_lost}")
        return RunEnd(id_, state, self.reason if state in _STOPPED else "", self.until)
