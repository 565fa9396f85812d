"""What a run waits for: gates after waves, what an environment requires, its window."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.config.models import Config
from orchestrator.config.rollouts import Gate, Window
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
from orchestrator.rollout.run import OVER, Run
from orchestrator.rollout.run import Gate as Closed
from orchestrator.rollout.times import moment
from orchestrator.rollout.windows import is_open, opens_at
from orchestrator.runs.recording import Record

Verdict = tuple[bool, str]
"""Whether a condition holds, and what is to be said of it."""
_TRIED = (GateKind.QUERY, GateKind.COMMAND)
_REQUIRED_AGAIN = 5_000
"""Milliseconds between two looks at another environment."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a condition does not hold yet; without a reason, it is only not its turn."""

    reason: str
    opens_at: int | None = None
    """When it will by time alone, in ms; ``None`` where that takes somebody."""


@dataclass(slots=True)
class Try:
    """A query or command of a gate that is being tried, off the loop."""

    verdict: Verdict | None = None

    @classmethod
    def of(cls, attempt: Callable[[], Verdict]) -> "Try":
        """Start it in a thread that keeps nobody from ending."""
        found = cls()

        def work() -> None:
            try:
                found.verdict = attempt()
            except Exception as error:  # noqa: BLE001 - whatever it is, the gate did not pass
                found.verdict = False, f"{type(error).__name__}: {error}"

        threading.Thread(target=work, name="gate", daemon=True).start()
        return found


@dataclass(slots=True)
class Waits:
    """Looks whether what a run waits for has come, and decides whether to wait for it here."""

    config: Config
    gates: Mapping[int, Gate]
    """The settings of the gate after each wave that has one."""
    attempts: Callable[[int, GateKind], Callable[[], Verdict]]
    """Makes the try of a wave's query or command."""
    required: Callable[[int], Missing | None]
    """Looks what the environment of a wave requires of another and does not have."""
    ask: Callable[[str], bool | None]
    """Asks on the terminal; ``None`` while nobody answered, or where there is none."""
    by: str
    stays: bool
    """Whether to wait here; otherwise the run is left to be resumed."""
    override: str | None = None
    """Why the first closed gate is to be passed all the same."""
    leaves: bool = False
    """Whether the run is to be left as it is."""
    reason: str = ""
    """What it waits for."""
    _tries: dict[tuple[int, GateKind], Try] = field(default_factory=dict)
    _windowless: set[str] = field(default_factory=set)
    """Environments whose closed window somebody passed."""
    _required: dict[int, tuple[int, Missing | None]] = field(default_factory=dict)
    """When it was looked what the environment of a wave requires, and what was missing."""

    def open(self, run: Run, now: int) -> bool:
        """Whether targets may start at this time of the day."""
        window = self._window(run)
        if window is None or run.stages[run.position].environment in self._windowless:
            return True
        return is_open(window, now)

    def look(self, run: Run, record: Record) -> list[Event]:
        """Return what became of what the run waits for; nothing where it waits on, or for nothing.

        To be called while nothing runs.
        """
        if run.state in OVER or run.state is RunState.PAUSED or run.stage is None:
            return []
        gate, now = run.gate, record.now
        if gate is None:
            return self._at_window(run, now)
        if self.override is not None:
            return self._overridden(gate, now)
        events: list[Event] = []
        waits: list[Missing] = []
        for kind in gate.kinds:
            found = self._condition(run, record, gate, kind)
            if isinstance(found, Missing):
                waits.append(found)
            else:
                events += found
        if not events:
            return self._wait(run, now, waits)
        failed = [event for event in events if isinstance(event, RunFailed)]
        if failed:  # all that failed is one reason
            rest = [event for event in events if not isinstance(event, RunFailed)]
            return [*rest, RunFailed(now, "; ".join(event.reason for event in failed))]
        return [*events, RunResumed(now, self.by)] if run.state is RunState.WAITING else events

    def _condition(
        self, run: Run, record: Record, gate: Closed, kind: GateKind
    ) -> list[Event] | Missing:
        now = record.now
        match kind:
            case GateKind.REQUIRES:
                missing = self._requires(gate.wave, now)
                if missing is not None:
                    return missing
                name = run.stages[gate.wave].name
                return [GatePassed(now, gate.wave, kind, name=name)]
            case GateKind.SOAK:
                return self._soak(run, gate, now)
            case GateKind.APPROVAL:
                return self._approval(run, record, gate)
            case _:
                return self._tried(run, gate, kind, now)

    def _requires(self, wave: int, now: int) -> Missing | None:
        # Of the difference: somebody may set the clock back.
        if wave not in self._required or abs(now - self._required[wave][0]) >= _REQUIRED_AGAIN:
            self._required[wave] = now, self.required(wave)
        return self._required[wave][1]

    def _soak(self, run: Run, gate: Closed, now: int) -> list[Event] | Missing:
        soak = self.gates[gate.wave].soak
        opens = (gate.since or now) + round(soak * 1000)
        name = run.stages[gate.wave].name
        if now >= opens:
            return [GatePassed(now, gate.wave, GateKind.SOAK, name=name)]
        return Missing(f"{name} soaks until {moment(opens)}", opens)

    def _approval(self, run: Run, record: Record, gate: Closed) -> list[Event] | Missing:
        now = record.now
        name = run.stages[gate.wave].name
        for approval in record.approvals:
            if approval.wave == gate.wave:
                detail = f"by {approval.by}" + (f": {approval.note}" if approval.note else "")
                return [GatePassed(now, gate.wave, GateKind.APPROVAL, detail, name)]
        answer = self.ask(f"Go on after {name}?") if len(gate.kinds) == 1 else None
        if answer:
            return [
                Approved(now, gate.wave, self.by, "on the terminal"),
                GatePassed(now, gate.wave, GateKind.APPROVAL, f"by {self.by}", name),
            ]
        self.leaves = self.leaves or answer is False
        return Missing(f"{name} waits for approval")

    def _tried(self, run: Run, gate: Closed, kind: GateKind, now: int) -> list[Event] | Missing:
        """Try a query or a command, once the soak is over: it is to see its result."""
        name = run.stages[gate.wave].name
        if GateKind.SOAK in gate.kinds:
            return Missing("")
        key = (gate.wave, kind)
        if key not in self._tries:
            self._tries[key] = Try.of(self.attempts(gate.wave, kind))
        verdict = self._tries[key].verdict
        if verdict is None:
            return Missing(f"the {kind} after {name} is being tried")
        del self._tries[key]
        holds, detail = verdict
        if holds:
            return [GatePassed(now, gate.wave, kind, detail, name)]
        reason = f"the {kind} after {name} did not pass: {detail}"
        return [GateFailed(now, gate.wave, kind, detail, name), RunFailed(now, reason)]

    def _overridden(self, gate: Closed, now: int) -> list[Event]:
        reason, self.override = self.override or "", None
        return [Overridden(now, gate.wave, kind, self.by, reason) for kind in gate.kinds]

    def _at_window(self, run: Run, now: int) -> list[Event]:
        window = self._window(run)
        if window is None or self.open(run, now):
            return [RunResumed(now, self.by)] if run.state is RunState.WAITING else []
        environment = run.stages[run.position].environment
        if self.override is not None:
            reason, self.override = self.override, None
            self._windowless.add(environment)
            return [Overridden(now, run.position, GateKind.WINDOW, self.by, reason)]
        opens = opens_at(window, now)
        until = "" if opens is None else f" until {moment(opens)}"
        reason = f"the window of {environment} is closed{until}"
        return self._wait(run, now, [Missing(reason, opens)])

    def _window(self, run: Run) -> Window | None:
        if run.stage is None:
            return None
        return self.config.environments[run.stage.environment].rollout.window

    def _wait(self, run: Run, now: int, waits: Sequence[Missing]) -> list[Event]:
        """Say what is waited for, once, and leave unless we are to wait for it here."""
        if any(try_.verdict is None for try_ in self._tries.values()):
            return []  # it is over soon
        self.leaves = self.leaves or not self.stays
        reason = "; ".join(missing.reason for missing in waits if missing.reason)
        known = [missing.opens_at for missing in waits if missing.reason]
        until = max((at for at in known if at is not None), default=None)
        if run.state is RunState.WAITING and reason == self.reason:
            return []
        self.reason = reason
        return [RunWaiting(now, reason, None if None in known else until)]
