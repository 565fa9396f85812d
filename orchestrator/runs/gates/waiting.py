"""What a run waits for: gates after waves, what an environment requires, its window."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.config.rollouts import Approval, Window
from orchestrator.rollout.events import (
    Approved,
    Event,
    GateFailed,
    GateKind,
    GatePassed,
    Overridden,
    RunFailed,
    RunResumed,
    RunState,
    RunWaiting,
)
from orchestrator.rollout.stages import ClosedGate
from orchestrator.rollout.state_machine import OVER, StateMachine
from orchestrator.rollout.times import moment
from orchestrator.rollout.windows import is_open, opens_at
from orchestrator.runs.context import ProjectContext, RunContext, is_same_person
from orchestrator.runs.gates.checks import Verdict
from orchestrator.runs.gates.conditions import Conditions
from orchestrator.runs.gates.requirements import Requirements, UnmetCondition
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.runs.recording import Recorder

_CHECKED = (GateKind.QUERY, GateKind.COMMAND)
_REQUIRED_AGAIN = 5_000
"""Milliseconds between two looks at another environment."""


@dataclass(slots=True)
class GateCheck:
    """A query or command of a gate that is being tried, off the loop."""

    verdict: Verdict | None = None

    @classmethod
    def of(cls, check: Callable[[], Verdict], project: ProjectContext) -> "GateCheck":
        """Start it in a thread that keeps nobody from ending. Verdicts hold no secret."""
        found = cls()

        def work() -> None:
            try:
                found.verdict = check()
            except Exception as error:  # noqa: BLE001 - whatever it is, the gate did not pass
                said = project.redacted(f"{type(error).__name__}: {error}", None)
                found.verdict = False, said

        threading.Thread(target=work, name="gate", daemon=True).start()
        return found


@dataclass(slots=True)
class Gates:
    """Looks whether what a run waits for has come, and decides whether to wait for it here."""

    context: RunContext
    run: RecordedRun
    machine: StateMachine
    stops_waiting: bool = False
    """Whether the run is to be left as it is."""
    reason: str = ""
    """What it waits for."""
    override: str | None = field(init=False)
    """Why the first closed gate is to be passed all the same."""
    conditions: Conditions = field(init=False)
    requirements: Requirements = field(init=False)
    _checks: dict[tuple[int, GateKind], GateCheck] = field(default_factory=dict)
    _overridden_windows: set[str] = field(default_factory=set)
    """Environments whose closed window somebody passed."""
    _beginner: str = field(init=False)
    """Who began the run."""
    _required: dict[int, tuple[int, UnmetCondition | None]] = field(default_factory=dict)
    """When it was looked what the environment of a wave requires, and what was missing."""

    def __post_init__(self) -> None:
        self.override = self.context.options.override
        self._beginner = self.context.ledger.run(self.run.id).by
        self.conditions = Conditions(self.context, self.run, self.machine)
        self.requirements = Requirements(self.context, self.run)

    def open(self, now: int) -> bool:
        """Whether targets may start at this time of the day."""
        window = self._window
        if window is None or self._environment(self.machine.position) in self._overridden_windows:
            return True
        return is_open(window, now)

    def look(self, recorder: Recorder) -> list[Event]:
        """Return what became of what the run waits for; nothing where it waits on, or for nothing.

        To be called while nothing runs.
        """
        machine = self.machine
        if machine.state in OVER or machine.state is RunState.PAUSED or machine.stage is None:
            return []
        gate, now = machine.gate, recorder.now
        if gate is None:
            return self._at_window(now)
        if self.override is not None:
            return self._overridden(gate, now)
        events: list[Event] = []
        waits: list[UnmetCondition] = []
        verdicts = self._verdicts(gate)
        for kind in gate.kinds:
            found = self._condition(recorder, gate, kind, verdicts)
            if isinstance(found, UnmetCondition):
                waits.append(found)
            else:
                events += found
        if not events:
            return self._wait(now, waits)
        failed = [event for event in events if isinstance(event, RunFailed)]
        if failed:  # all that failed is one reason
            rest = [event for event in events if not isinstance(event, RunFailed)]
            return [*rest, RunFailed(now, "; ".join(event.reason for event in failed))]
        return [*events, *self._resumed(now)]

    def _condition(
        self,
        recorder: Recorder,
        gate: ClosedGate,
        kind: GateKind,
        verdicts: Mapping[GateKind, Verdict],
    ) -> list[Event] | UnmetCondition:
        now = recorder.now
        match kind:
            case GateKind.REQUIRES:
                unmet = self._requires(gate.wave, now)
                if unmet is not None:
                    return unmet
                return [GatePassed(now, gate.wave, kind, name=self._name(gate))]
            case GateKind.SOAK:
                return self._soak(gate, now)
            case GateKind.APPROVAL:
                return self._approval(recorder, gate)
            case GateKind.QUERY | GateKind.COMMAND:
                return self._checked(gate, kind, verdicts.get(kind), now)
            case GateKind.WINDOW:  # of an environment, not of a wave
                raise ValueError(f"{kind} is no gate of a wave")

    def _requires(self, wave: int, now: int) -> UnmetCondition | None:
        # Of the difference: somebody may set the clock back.
        if wave not in self._required or abs(now - self._required[wave][0]) >= _REQUIRED_AGAIN:
            self._required[wave] = now, self.requirements.unmet(wave, now)
        return self._required[wave][1]

    def _soak(self, gate: ClosedGate, now: int) -> list[Event] | UnmetCondition:
        soak = self.conditions.settings[gate.wave].soak
        opens = (gate.since or now) + round(soak * 1000)
        name = self._name(gate)
        if now >= opens:
            return [GatePassed(now, gate.wave, GateKind.SOAK, name=name)]
        return UnmetCondition(f"{name} soaks until {moment(opens)}", opens)

    def _approval(self, recorder: Recorder, gate: ClosedGate) -> list[Event] | UnmetCondition:
        now, by, name = recorder.now, self.context.options.by, self._name(gate)
        another = isinstance(self.conditions.settings[gate.wave].approval, Approval)
        for approval in recorder.approvals:
            if approval.wave == gate.wave and not (another and self._began(approval.by)):
                detail = f"by {approval.by}" + (f": {approval.note}" if approval.note else "")
                return [GatePassed(now, gate.wave, GateKind.APPROVAL, detail, name)]
        question = f"Go on after {name}?"
        may = len(gate.kinds) == 1 and not (another and self._began(by))
        answer = self.context.options.ask(question) if may else None
        if answer:
            return [
                Approved(now, gate.wave, by, "on the terminal"),
                GatePassed(now, gate.wave, GateKind.APPROVAL, f"by {by}", name),
            ]
        self.stops_waiting = self.stops_waiting or answer is False
        who = f" by another than {self._beginner}" if another else ""
        return UnmetCondition(f"{name} waits for approval{who}")

    def _began(self, by: str) -> bool:
        return is_same_person(by, self._beginner)

    def _verdicts(self, gate: ClosedGate) -> dict[GateKind, Verdict]:
        """Return what the queries and commands of a gate came to, once all of them are through:
        what failed is told together. They are tried once the soak is over, to see its result."""
        kinds = [kind for kind in gate.kinds if kind in _CHECKED]
        if not kinds or GateKind.SOAK in gate.kinds:
            return {}
        for kind in kinds:
            if (gate.wave, kind) not in self._checks:
                check = self.conditions.check(gate.wave, kind)
                self._checks[gate.wave, kind] = GateCheck.of(check, self.context.project)
        found = {kind: self._checks[gate.wave, kind].verdict for kind in kinds}
        verdicts = {kind: verdict for kind, verdict in found.items() if verdict is not None}
        if len(verdicts) < len(kinds):
            return {}
        self._checks.clear()
        return verdicts

    def _checked(
        self, gate: ClosedGate, kind: GateKind, verdict: Verdict | None, now: int
    ) -> list[Event] | UnmetCondition:
        name = self._name(gate)
        if verdict is None:
            waits = GateKind.SOAK in gate.kinds
            return UnmetCondition("" if waits else f"the {kind} after {name} is being tried")
        holds, detail = verdict
        if holds:
            return [GatePassed(now, gate.wave, kind, detail, name)]
        reason = f"the {kind} after {name} did not pass: {detail}"
        return [GateFailed(now, gate.wave, kind, detail, name), RunFailed(now, reason)]

    def _overridden(self, gate: ClosedGate, now: int) -> list[Event]:
        reason, self.override = self.override or "", None
        return [
            Overridden(now, gate.wave, kind, self.context.options.by, reason) for kind in gate.kinds
        ]

    def _at_window(self, now: int) -> list[Event]:
        window = self._window
        if window is None or self.open(now):
            return self._resumed(now)
        wave, by = self.machine.position, self.context.options.by
        environment = self._environment(wave)
        if self.override is not None:
            reason, self.override = self.override, None
            self._overridden_windows.add(environment)
            return [Overridden(now, wave, GateKind.WINDOW, by, reason)]
        opens = opens_at(window, now)
        until = "" if opens is None else f" until {moment(opens)}"
        reason = f"the window of {environment} is closed{until}"
        return self._wait(now, [UnmetCondition(reason, opens)])

    @property
    def _window(self) -> Window | None:
        stage = self.machine.stage
        if stage is None:
            return None
        return self.context.config.environments[stage.environment].rollout.window

    def _resumed(self, now: int) -> list[Event]:
        """Nothing is waited for any more."""
        waited = self.machine.state is RunState.WAITING
        return [RunResumed(now, self.context.options.by)] if waited else []

    def _wait(self, now: int, waits: Sequence[UnmetCondition]) -> list[Event]:
        """Say what is waited for, once, and leave unless we are to wait for it here."""
        if any(check.verdict is None for check in self._checks.values()):
            return []  # it is over soon
        self.stops_waiting = self.stops_waiting or not self.context.options.wait
        reason = "; ".join(unmet.reason for unmet in waits if unmet.reason)
        known = [unmet.opens_at for unmet in waits if unmet.reason]
        until = max((at for at in known if at is not None), default=None)
        if self.machine.state is RunState.WAITING and reason == self.reason:
            return []
        self.reason = reason
        return [RunWaiting(now, reason, None if None in known else until)]

    def _name(self, gate: ClosedGate) -> str:
        return self.machine.stages[gate.wave].name

    def _environment(self, wave: int) -> str:
        return self.machine.stages[wave].environment
