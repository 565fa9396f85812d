"""A made-up world round a run: workers, a ledger, people, crashes. Checks every promise."""

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy

from orchestrator.rollout import events as e
from orchestrator.rollout.events import Event, GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.schedule import Slot
from orchestrator.rollout.stages import Past, Stage
from orchestrator.rollout.state_machine import OVER, StateMachine

GOOD = {State.DONE, State.UNCHANGED}
BAD = {State.FAILED, State.LOCKED, State.IN_DOUBT}
MENDED = {*BAD, State.SKIPPED}
"""What ``retry`` takes."""
SKIPPABLE = {None, *BAD, State.BLOCKED}


class Book:
    """What a ledger makes of events: written for itself, so that it can contradict the run."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.place = {w.name: at for at, stage in enumerate(stages) for w in stage.works}
        self.open = Counter(self.place.values())
        self.failed: Counter[int] = Counter()
        self.settled: dict[str, State] = {}
        self.waves: dict[int, tuple[WaveState, int | None]] = {}
        self.gates: set[tuple[int, GateKind]] = set()
        self.state = RunState.RUNNING
        self.blocked: set[str] = set()

    def past(self) -> Past:
        return Past(dict(self.settled), dict(self.waves), frozenset(self.gates))

    def settle(self, name: str, state: State | None) -> None:
        before, at = self.settled.pop(name, None), self.place[name]
        self.failed[at] += (state in BAD) - (before in BAD)
        self.open[at] += (state is None) - (before is None)
        (self.blocked.add if state is State.BLOCKED else self.blocked.discard)(name)
        if state is not None:
            self.settled[name] = state

    def add(self, event: Event) -> None:  # noqa: C901 - a table of all events
        match event:
            case e.AttemptEnded(outcome=outcome, final=True) | e.TargetSettled(outcome=outcome):
                if outcome.state is not State.NOT_STARTED:
                    self.settle(outcome.target, outcome.state)
            case e.TargetSkipped(target=name):
                self.settle(name, State.SKIPPED)
            case e.TargetRetried(target=name):
                self.settle(name, None)
            case e.WaveStarted(wave=wave):
                self.waves[wave] = (WaveState.RUNNING, None)
            case e.WaveEnded(at=at, wave=wave, state=state):
                self.waves[wave] = (state, at)
            case e.GatePassed(wave=wave, kind=kind) | e.Overridden(wave=wave, kind=kind):
                self.gates.add((wave, kind))
            case e.RunResumed():
                self.state = RunState.RUNNING
            case e.RunPaused():
                self.state = RunState.PAUSED
            case e.RunAborted():
                self.state = RunState.ABORTED
            case e.RunFailed():
                self.state = RunState.FAILED
            case e.RunDone():
                self.state = RunState.DONE
            case e.RunWaiting():
                self.state = RunState.WAITING


class World:
    """Does to a run what its loop, its workers, people and crashes do."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = tuple(stages)
        self.works = {work.name: work for stage in stages for work in stage.works}
        self.ledger = Book(stages)
        """What is written."""
        self.book = Book(stages)
        """What is written or will be."""
        self.pending: list[Event] = []
        self.active: dict[str, None] = {}
        """Targets with a worker, which may succeed."""
        self.again: dict[str, None] = {}
        """Targets that have no worker at the moment, and get another attempt."""
        self.used: Counter[Slot] = Counter()
        self.clock = 0
        self.run: StateMachine | None = StateMachine(stages)

    @property
    def alive(self) -> StateMachine:
        assert self.run is not None
        return self.run

    @property
    def at(self) -> int:
        self.clock += 1
        return self.clock

    def take_in(self, event: Event) -> None:
        self.alive.apply(event)
        self.book.add(event)
        self.pending.append(event)

    def flush(self) -> None:
        for event in self.pending:
            self.ledger.add(event)
        self.pending = []

    # What the loop does

    def follow(self) -> None:
        """Apply what the run decides, as long as it decides anything."""
        for _ in range(4 * len(self.stages) + len(self.works)):
            events = self.alive.decide(self.at)
            assert events == self.alive.decide(self.clock), "deciding changed something"
            if not events:
                return
            for event in events:
                self.check_decision(event)
                self.take_in(event)
        raise AssertionError("it decides for ever")

    def check_decision(self, event: Event) -> None:
        match event:
            case e.WaveStarted(wave=wave):
                self.check_before(wave)
            case e.WaveEnded(wave=wave, state=state, failed=failed):
                stage = self.stages[wave]
                assert failed == self.book.failed[wave]
                assert not {*self.active, *self.again}
                assert (state is WaveState.FAILED) == (failed > stage.budget)
                assert state is WaveState.FAILED or not self.book.open[wave]
                held = all((wave, kind) in self.book.gates for kind in stage.gate)
                assert state is WaveState.FAILED or (state is WaveState.PASSED) == held
            case e.RunDone():
                self.check_before(len(self.stages))
                assert set(self.book.settled) == set(self.works)
                for name in self.book.blocked:
                    needs = self.works[name].needs
                    assert any(self.book.settled.get(n, State.DONE) not in GOOD for n in needs)
            case e.TargetSettled(outcome=outcome):
                assert outcome.state is State.BLOCKED
                needs = self.works[outcome.target].needs
                assert any(self.book.settled.get(n, State.DONE) not in GOOD for n in needs)
                assert self.book.settled[outcome.blocked_by or ""] not in GOOD

    def check_before(self, wave: int) -> None:
        """Assert that all before a wave is over and passed, and that it may be entered."""
        assert not {*self.active, *self.again}
        for at, stage in enumerate(self.stages[: wave + 1]):
            assert all((at, kind) in self.book.gates for kind in stage.entry)
            if at < wave:
                assert self.book.waves[at][0] is WaveState.PASSED
                assert not self.book.open[at]
                assert self.book.failed[at] <= stage.budget
                assert all((at, kind) in self.book.gates for kind in stage.gate)

    def check_start(self, name: str) -> None:
        book, work = self.book, self.works[name]
        place = book.place[name]
        if name in book.blocked:  # what it needs succeeded meanwhile
            book.settle(name, None)
        assert name not in book.settled, "what is settled is started again"
        assert name not in {*self.active, *self.again}
        assert all(book.settled.get(n) in GOOD for n in work.needs if n in self.works)
        assert book.state not in {*OVER, RunState.PAUSED}
        for at, stage in enumerate(self.stages[: place + 1]):
            assert book.failed[at] <= stage.budget, "over budget"
            assert at == place or (book.waves[at][0] is WaveState.PASSED and not book.open[at])
            assert all((at, kind) in book.gates for kind in stage.entry)
            assert at == place or all((at, kind) in book.gates for kind in stage.gate)
        self.used.update(work.slots)
        assert all(self.used[slot] <= slot.limit for slot in work.slots)

    def start(self, limit: int | None, *, written: bool = True, begun: int = 1_000_000) -> None:
        """Start what may, at most ``begun``; where that can't be written, nothing."""
        names = self.alive.may_start(limit)
        assert names == self.alive.may_start(limit), "what is on offer stays"
        assert limit is None or len(names) <= limit
        if not written:
            return
        self.flush()
        for name in names[:begun]:
            self.check_start(name)
            self.alive.apply(e.AttemptStarted(self.at, name, 1))
            self.active[name] = None

    def settle_first(self) -> None:
        """The first on offer is at head already."""
        for name in self.alive.may_start(1):
            self.check_start(name)
            self.used.subtract(self.works[name].slots)
            self.take_in(e.TargetSettled(self.at, Outcome(name, State.UNCHANGED)))

    def end(self, name: str, state: State, *, final: bool = True) -> None:
        del self.active[name]
        self.take_in(e.AttemptEnded(self.at, 1, Outcome(name, state), final))
        if final:
            self.used.subtract(self.works[name].slots)
        else:
            self.again[name] = None

    def lose(self, name: str) -> None:
        del self.active[name]
        self.again[name] = None
        self.take_in(e.AttemptLost(self.at, name, 1, "its worker is gone"))

    def try_again(self, name: str) -> None:
        del self.again[name]
        self.flush()
        self.alive.apply(e.AttemptStarted(self.at, name, 2))
        self.active[name] = None

    def judge(self, verdict: str) -> None:
        """Say of the first condition that is waited for whether it holds."""
        gate = self.alive.gate
        if gate is None or self.active or self.again:
            return
        stage, kind = self.stages[gate.wave], gate.kinds[0]
        assert set(gate.kinds) <= {*stage.entry, *stage.gate}
        assert not {(gate.wave, kind) for kind in gate.kinds} & self.book.gates
        match verdict:
            case "passed":
                self.take_in(e.GatePassed(self.at, gate.wave, kind))
            case "overridden":
                self.take_in(e.Overridden(self.at, gate.wave, kind, "somebody", "it must go on"))
            case _:
                self.take_in(e.GateFailed(self.at, gate.wave, kind))
                self.take_in(e.RunFailed(self.at, "the gate did not pass"))

    def ask(self, what: str) -> None:
        """Somebody asks for something, while the run is under way."""
        if self.alive.state in OVER or self.alive.state is RunState.PAUSED:
            return
        match what:
            case "pause":
                self.take_in(e.RunPaused(self.at, "somebody asked for it"))
            case "abort":
                self.take_in(e.RunAborted(self.at, "somebody"))
            case _:
                self.take_in(e.RunWaiting(self.at, "the window is closed"))

    # What happens to it

    def crash(self, *, written: bool) -> None:
        """The process is gone, and what was about to be written was written, or not."""
        batch = self.pending
        if written:
            self.flush()
            self.check_replay(batch)
        self.book, self.pending = deepcopy(self.ledger), []
        self.run, self.active, self.again = None, {}, {}
        self.used.clear()

    def check_replay(self, batch: Sequence[Event]) -> None:
        """Assert that applying once more what is known already changes nothing."""
        course = e.RunWaiting | e.RunPaused | e.RunAborted | e.RunFailed | e.RunDone
        restored = StateMachine(self.stages, self.ledger.past())
        before = _seen(restored)
        for event in batch:
            if not isinstance(event, course):
                restored.apply(event)
        assert _seen(restored) == before

    def resume(self) -> None:
        if self.ledger.state in {RunState.DONE, RunState.ABORTED}:
            return
        self.run = StateMachine(self.stages, self.ledger.past())
        assert _seen(self.run) == _seen(StateMachine(self.stages, self.ledger.past()))
        self.take_in(e.RunResumed(self.at, "somebody"))
        self.flush()

    def retry(self, name: str) -> None:
        """Somebody fixed a target; also after the run was done."""
        if self.ledger.state is RunState.ABORTED or self.ledger.settled.get(name) not in MENDED:
            return
        others = {n: s for n, s in self.ledger.settled.items() if n != name}
        for event in (e.TargetRetried(self.at, name, "somebody"), e.RunResumed(self.at, "s")):
            self.ledger.add(event)
            self.book.add(event)
        self.run = StateMachine(self.stages, self.ledger.past())
        assert self.run.position <= self.ledger.place[name] or name in self.run.settled
        # What succeeded or failed elsewhere stays; what was blocked may be open again.
        kept = {n: s for n, s in others.items() if s is not State.BLOCKED}
        assert all(self.run.settled.get(n) is s for n, s in kept.items())

    def skip(self, name: str) -> None:
        if self.ledger.settled.get(name) in SKIPPABLE:
            event = e.TargetSkipped(self.at, name, "somebody", "later")
            self.ledger.add(event)
            self.book.add(event)

    def check_equal(self) -> None:
        """Assert that the run equals one that is made again from what is written now."""
        run = self.alive
        assert run.running == {*self.active, *self.again}
        quiet = not self.active and not self.again and run.state not in OVER
        if quiet and run.state is not RunState.PAUSED and not run.decide(0) and not run._offered:
            assert _seen(StateMachine(self.stages, self.book.past())) == _seen(run)

    def calm(self) -> None:
        """Nobody interferes any more: assert that it ends."""
        if self.run is None or self.alive.state is RunState.PAUSED:
            self.crash(written=True)
            self.resume()
        if self.run is None:
            return
        for _ in range(5 * len(self.works) + 8 * len(self.stages) + 8):
            self.follow()
            self.start(None)
            for name in tuple(self.again):
                self.try_again(name)
            for name in tuple(self.active):
                self.end(name, State.DONE)
            self.follow()
            if self.alive.state in OVER:
                return
            self.judge("passed")
        raise AssertionError(f"it does not end: {self.alive.state}, {self.alive.gate}")


def _seen(run: StateMachine) -> tuple[object, ...]:
    """What anybody can see of a run, without changing it."""
    twin = deepcopy(run)
    return (run.position, run.settled, run.gate, run.decide(0), run.over_budget, twin.may_start())
