"""A run as a state machine over events: which targets may start, which wave is on, how it ends.

Without clock, files or network. Its loop asks ``decide`` and ``may_start``, records what they say,
and applies it; whatever happens besides is applied as it comes. A run that was interrupted by
anything is made again from what the ledger has of it: its ``Past``.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from orchestrator.rollout.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    GateFailed,
    GateKind,
    GatePassed,
    Overridden,
    RunAborted,
    RunDone,
    RunFailed,
    RunPaused,
    RunResumed,
    RunState,
    RunWaiting,
    TargetSettled,
    WaveEnded,
    WaveStarted,
    WaveState,
)
from orchestrator.rollout.outcomes import SUCCEEDED, Outcome, State
from orchestrator.rollout.schedule import Blocked, Schedule
from orchestrator.rollout.stages import ClosedGate, Past, Stage

OVER = frozenset({RunState.FAILED, RunState.ABORTED, RunState.DONE})
"""Nothing more happens by itself. ``retry`` and ``skip`` may fix what failed."""
FAILURES = frozenset({State.FAILED, State.IN_DOUBT, State.LOCKED})
"""What counts against the budget. What is blocked does not: its cause counts already."""


class StateMachine:
    """Where a run stands, and what may happen next.

    Guarantees, in every history: a target starts only when its wave is on, all that it needs
    succeeded, and each of its slots has a free place; a wave is on only when every wave before it
    passed, with its gate; once more targets of a wave failed than its budget, nothing starts any
    more, and the run fails when what runs has ended. What depends on a failed target is blocked
    and does not count. Equal pasts give equal runs.
    """

    def __init__(self, stages: Sequence[Stage], past: Past | None = None) -> None:
        past = past or Past()
        self.stages = tuple(stages)
        self.state = RunState.RUNNING
        self.settled: dict[str, State] = dict(past.settled)
        """What became of targets, as far as it is known."""
        self.position = -1
        self._passed = set(past.gates)
        self._waves = dict(past.waves)
        self._running: set[str] = set()
        self._limits: dict[str, int] = {}
        self._offered: dict[str, None] = {}
        self._blocked: dict[str, Blocked] = {}
        self._schedule = Schedule(())
        self._failed = 0
        self._left = 0
        self._enter_next()

    @property
    def stage(self) -> Stage | None:
        """The wave that is on, or about to be."""
        return self.stages[self.position] if self.position < len(self.stages) else None

    @property
    def running(self) -> frozenset[str]:
        """The targets that are being worked on."""
        return frozenset(self._running)

    @property
    def busy(self) -> bool:
        """Whether anything is being worked on."""
        return bool(self._running)

    @property
    def over_budget(self) -> bool:
        """Whether more targets of the wave failed than may."""
        return self.stage is not None and self._failed > self.stage.budget

    @property
    def unstarted(self) -> tuple[str, ...]:
        """Targets of which nothing is known yet, and that are not running, in order."""
        return tuple(
            work.name
            for stage in self.stages
            for work in stage.works
            if work.name not in self.settled and work.name not in self._running
        )

    @property
    def gate(self) -> ClosedGate | None:
        """What must hold before anything can start; ``None`` where nothing is in the way."""
        if self.stage is None or self._stopped:
            return None
        state, since = self._waves.get(self.position, (WaveState.PENDING, None))
        entry = state is WaveState.PENDING
        if not entry and state is not WaveState.GATE:
            return None
        kinds = self._missing(self.stage.entry if entry else self.stage.gate)
        return ClosedGate(self.position, kinds, since) if kinds else None

    @property
    def open(self) -> Iterator[str]:
        """Targets of the wave that is on of which nothing is known yet, in order."""
        works = self.stage.works if self.stage is not None and self._is_on else ()
        return (work.name for work in works if work.name not in self.settled)

    def may_start(self, limit: int | None = None) -> list[str]:
        """Return targets that may start now, in order, at most ``limit``.

        They stay on offer until ``AttemptStarted`` or ``TargetSettled`` is applied to them.
        """
        if self._stopped or not self._is_on or self.over_budget:
            return []
        if limit is None or len(self._offered) < limit:
            left = None if limit is None else limit - len(self._offered)
            self._offered |= dict.fromkeys(self._schedule.start(left))
        return list(islice(self._offered, limit))

    def set_limit(self, key: str, limit: int) -> None:
        """Let fewer targets use a slot at once, in this wave and those that follow."""
        self._limits[key] = limit
        self._schedule.set_limit(key, limit)

    def decide(self, at: int) -> list[Event]:
        """Return what follows from where the run stands, to be recorded and applied at ``at``.

        Nothing where the next thing is up to somebody else: a target, a gate, a person.
        """
        if self._stopped:
            return []
        if self._blocked:
            return [_blocked(at, blocked) for blocked in self._blocked.values()]
        if self.stage is None:
            return [RunDone(at)]
        state, _ = self._waves.get(self.position, (WaveState.PENDING, None))
        if state is WaveState.PENDING:
            closed = self._missing(self.stage.entry)
            return [] if closed else [WaveStarted(at, self.position, self.stage.name)]
        if self.over_budget:
            return [] if self._running else self._failures(at)
        if self._left or self._running:
            return []
        return self._through(at, state)

    def apply(self, event: Event) -> None:
        """Take an event into account. Those that say nothing new about its course are let by.

        Raises ``ValueError`` for the start of a target that is not on offer.
        """
        match event:
            case AttemptStarted(target=name):
                if name not in self._running:
                    self._take(name)
            case AttemptEnded(outcome=outcome, final=True):
                self._ended(outcome)
            case TargetSettled(outcome=outcome):
                self._settle(outcome)
            case WaveStarted(wave=wave):
                self.state = RunState.RUNNING
                self._waves[wave] = (WaveState.RUNNING, None)
            case WaveEnded():
                self._wave_ended(event)
            case GatePassed(wave=wave, kind=kind) | Overridden(wave=wave, kind=kind):
                self._passed.add((wave, kind))
            case _:
                self._apply_to_state(event)

    def _apply_to_state(self, event: Event) -> None:
        match event:
            case RunWaiting():
                self.state = RunState.WAITING
            case RunResumed():
                self.state = RunState.RUNNING
            case RunPaused():
                self.state = RunState.PAUSED
            case RunAborted():
                self.state = RunState.ABORTED
            case RunFailed():
                self.state = RunState.FAILED
            case RunDone():
                self.state = RunState.DONE
            case GateFailed(wave=wave, kind=kind):
                self._passed.discard((wave, kind))

    @property
    def _stopped(self) -> bool:
        return self.state in OVER or self.state is RunState.PAUSED

    @property
    def _is_on(self) -> bool:
        state, _ = self._waves.get(self.position, (WaveState.PENDING, None))
        return state is WaveState.RUNNING

    def _missing(self, kinds: Sequence[GateKind]) -> tuple[GateKind, ...]:
        return tuple(kind for kind in kinds if (self.position, kind) not in self._passed)

    def _failures(self, at: int) -> list[Event]:
        stage = self.stages[self.position]
        failed = "1 target" if self._failed == 1 else f"{self._failed:,} targets"
        may = "none may" if not stage.budget else f"at most {stage.budget:,} may"
        reason = f"{failed} of {stage.name} failed; {may}"
        return [
            WaveEnded(at, self.position, WaveState.FAILED, self._failed, stage.name),
            RunFailed(at, reason),
        ]

    def _through(self, at: int, state: WaveState) -> list[Event]:
        stage = self.stages[self.position]
        if not self._missing(stage.gate):
            passed = WaveState.PASSED
            _, since = self._waves[self.position] if state is WaveState.GATE else (None, None)
            return [WaveEnded(at, self.position, passed, self._failed, stage.name, since)]
        if state is WaveState.GATE:
            return []
        return [WaveEnded(at, self.position, WaveState.GATE, self._failed, stage.name)]

    def _wave_ended(self, event: WaveEnded) -> None:
        since = event.at if event.since is None else event.since
        self._waves[event.wave] = (event.state, since)
        if event.state is WaveState.PASSED and event.wave == self.position:
            self._enter_next()

    def _settle(self, outcome: Outcome) -> None:
        """An outcome without an attempt: of a target on offer, or of one that is blocked."""
        if outcome.state is State.BLOCKED:
            if self._blocked.pop(outcome.target, None) is not None:
                self.settled[outcome.target] = State.BLOCKED
            return
        self._take(outcome.target)
        self._ended(outcome)

    def _take(self, name: str) -> None:
        """Take a target off the offer. One that is settled was applied before."""
        if name in self._offered:
            del self._offered[name]
            self._running.add(name)
        elif self.settled.get(name) in {None, State.BLOCKED}:
            raise ValueError(f"{name} is not on offer")

    def _ended(self, outcome: Outcome) -> None:
        name = outcome.target
        if name not in self._running:
            return
        self._running.discard(name)
        if outcome.state is State.NOT_STARTED:
            self._schedule.requeue(name)
            return
        self.settled[name] = outcome.state
        self._left -= 1
        self._failed += outcome.state in FAILURES
        blocked = self._schedule.finish(name, succeeded=outcome.state in SUCCEEDED)
        self._block(blocked)

    def _block(self, blocked: Sequence[Blocked]) -> None:
        self._left -= len(blocked)
        new = (b for b in blocked if self.settled.get(b.name) is not State.BLOCKED)
        self._blocked |= {b.name: b for b in new}

    def _enter_next(self) -> None:
        """Go to the next wave that did not pass, or of which targets are to be worked on again."""
        self.position += 1
        while self.stage is not None:
            passed = self._waves.get(self.position, (None, None))[0] is WaveState.PASSED
            self._lay_out(self.stage)
            # Later waves look for what is blocked, and must not run after failures over a budget.
            if not passed or self._left or self._blocked or self.over_budget:
                break
            self.position += 1
        if self.stage is not None:
            self._reopen()

    def _reopen(self) -> None:
        """A wave that had failed or passed is on again where there is something to do in it."""
        state, since = self._waves.get(self.position, (WaveState.PENDING, None))
        if state in {WaveState.FAILED, WaveState.PASSED} or (
            state is WaveState.GATE and (self._left or self.over_budget)
        ):
            self._waves[self.position] = (WaveState.RUNNING, since)

    def _lay_out(self, stage: Stage) -> None:
        """Schedule what is left of a wave; what needs a target that did not succeed is blocked."""
        lost: dict[str, str] = {}
        left, blocked = [], []
        for work in stage.works:
            state = self.settled.get(work.name)
            if state not in {None, State.BLOCKED}:
                continue
            cause = next((by for need in work.needs if (by := self._lost(need, lost))), None)
            if cause is None:
                self.settled.pop(work.name, None)
                left.append(work)
            else:
                lost[work.name] = cause
                blocked.append(Blocked(work.name, cause))
        self._failed = sum(self.settled.get(work.name) in FAILURES for work in stage.works)
        self._schedule = Schedule(left)
        for key, limit in self._limits.items():
            self._schedule.set_limit(key, limit)
        self._offered, self._blocked = {}, {}
        self._left = len(left) + len(blocked)
        self._block(blocked)

    def _lost(self, need: str, lost: Mapping[str, str]) -> str | None:
        """Return whose fault it is that ``need`` did not succeed, if it did not.

        Works come after what they need, so that what is blocked no more is open here already.
        """
        if need in lost:
            return lost[need]
        state = self.settled.get(need)
        return None if state is None or state in SUCCEEDED else need


def _blocked(at: int, blocked: Blocked) -> TargetSettled:
    return TargetSettled(at, Outcome(blocked.name, State.BLOCKED, blocked_by=blocked.by))
