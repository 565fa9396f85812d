"""The promises of a run, in every history that hypothesis can think of."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.rollout import events as e
from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.schedule import Slot, Work
from orchestrator.rollout.stages import Past, Stage
from orchestrator.rollout.state_machine import OVER, StateMachine
from tests.effort import examples
from tests.rollout.world import World

LIMITS = {"a": 1, "b": 2, "all": 4}
GATES = (GateKind.SOAK, GateKind.APPROVAL, GateKind.QUERY)
ENDS = (
    *(State.DONE, State.DONE, State.DONE, State.UNCHANGED, State.FAILED),
    *(State.LOCKED, State.IN_DOUBT, State.NOT_STARTED),
)
VERDICTS = ("passed", "passed", "overridden", "failed")


@st.composite
def stages(draw: st.DrawFn) -> list[Stage]:
    """Waves whose targets need others, of theirs and of earlier waves, and share slots."""
    made: list[Stage] = []
    names: list[str] = []
    for at in range(draw(st.integers(1, 4))):
        works = []
        for number in range(draw(st.integers(0, 5))):
            needs = draw(st.lists(st.sampled_from([*names, "elsewhere"]), unique=True, max_size=2))
            keys = draw(st.lists(st.sampled_from(sorted(LIMITS)), unique=True, max_size=2))
            slots = tuple(Slot(key, LIMITS[key]) for key in sorted(keys))
            names.append(f"{at}.{number}")
            works.append(Work(names[-1], tuple(needs), slots))
        entry = (GateKind.REQUIRES,) if draw(st.integers(0, 3)) == 0 else ()
        gate = draw(st.lists(st.sampled_from(GATES), unique=True, max_size=2))
        budget = draw(st.integers(0, 2))
        made.append(Stage(f"w{at}", "prod", tuple(works), budget, entry, tuple(gate)))
    return made


def alive(machine: "Histories") -> bool:
    return machine.world.run is not None


def dead(machine: "Histories") -> bool:
    return machine.world.run is None


class Histories(RuleBasedStateMachine):
    """Everything that a loop, workers, people and crashes do, in any order."""

    world: World

    @initialize(of=stages())
    def begin(self, of: list[Stage]) -> None:
        self.world = World(of)

    @precondition(alive)
    @rule()
    def follow(self) -> None:
        self.world.follow()

    @precondition(alive)
    @rule(limit=st.integers(1, 6) | st.none(), begun=st.integers(1, 9), written=st.integers(0, 5))
    def start(self, limit: int | None, begun: int, written: int) -> None:
        self.world.follow()
        self.world.start(limit, written=written > 0, begun=begun)

    @precondition(alive)
    @rule()
    def settle_first(self) -> None:
        self.world.settle_first()

    @precondition(lambda self: self.world.active)
    @rule(data=st.data(), state=st.sampled_from(ENDS))
    def end(self, data: st.DataObject, state: State) -> None:
        self.world.end(data.draw(st.sampled_from(tuple(self.world.active))), state)

    @precondition(lambda self: self.world.active)
    @rule(data=st.data(), lost=st.booleans())
    def end_for_now(self, data: st.DataObject, lost: bool) -> None:
        name = data.draw(st.sampled_from(tuple(self.world.active)))
        if lost:
            self.world.lose(name)
        else:
            self.world.end(name, State.FAILED, final=False)

    @precondition(lambda self: self.world.again)
    @rule(data=st.data())
    def try_again(self, data: st.DataObject) -> None:
        self.world.try_again(data.draw(st.sampled_from(tuple(self.world.again))))

    @precondition(alive)
    @rule(verdict=st.sampled_from(VERDICTS))
    def judge(self, verdict: str) -> None:
        self.world.judge(verdict)

    @precondition(alive)
    @rule(what=st.sampled_from(["pause", "abort", "wait", "wait"]))
    def ask(self, what: str) -> None:
        self.world.ask(what)

    @precondition(alive)
    @rule()
    def flush(self) -> None:
        self.world.flush()

    @precondition(alive)
    @rule(written=st.booleans())
    def crash(self, written: bool) -> None:
        self.world.crash(written=written)

    @precondition(dead)
    @rule()
    def resume(self) -> None:
        self.world.resume()

    @precondition(lambda self: dead(self) and self.world.works)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        self.world.retry(data.draw(st.sampled_from(sorted(self.world.works))))

    @precondition(lambda self: dead(self) and self.world.works)
    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        self.world.skip(data.draw(st.sampled_from(sorted(self.world.works))))

    @invariant()
    def equals_its_past(self) -> None:
        if hasattr(self, "world") and self.world.run is not None:
            self.world.check_equal()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.calm()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=examples(200), stateful_step_count=50, deadline=None)


def big_stages(luck: random.Random, count: int) -> list[Stage]:
    """Some waves of thousands of targets: a shared one that many need, pairs, busy servers."""
    made: list[Stage] = []
    names: list[str] = []
    everything = Slot("all", 64)
    for at in range(luck.randint(1, 6)):
        works = []
        for number in range(luck.randint(0, count // 3)):
            needs = (names[-1],) if names and luck.random() < 0.3 else ()
            needs += (names[0],) if names and luck.random() < 0.1 else ()
            server = luck.randrange(20)
            names.append(f"{at}.{number}")
            works.append(Work(names[-1], needs, (everything, Slot(f"server {server}", 4))))
        gate = tuple(luck.sample(GATES, luck.randint(0, 2)))
        made.append(Stage(f"w{at}", "prod", tuple(works), luck.choice((0, 5, 500)), (), gate))
    return made


def step(world: World, luck: random.Random) -> None:
    """One thing that happens in a big run: mostly progress."""
    if world.run is None:
        settled = world.ledger.settled
        fixed = [n for n, s in settled.items() if s in {State.FAILED, State.SKIPPED}]
        for name in luck.sample(fixed, min(len(fixed), 3)):
            luck.choice((world.retry, world.skip))(name)
        world.resume()
        return
    world.follow()
    world.start(luck.randint(1, 64))
    for name in tuple(world.again):
        world.try_again(name)
    good = luck.random() < 0.8
    for name in luck.sample(tuple(world.active), luck.randint(0, len(world.active))):
        world.end(name, State.DONE if good or luck.random() < 0.9 else luck.choice(ENDS))
    if world.active and luck.random() < 0.1:
        world.lose(luck.choice(tuple(world.active)))
    if luck.random() < 0.5:
        world.judge(luck.choice(VERDICTS))
    if luck.random() < 0.02:
        world.ask(luck.choice(("pause", "wait")))
    if luck.random() < 0.02 or world.alive.state in {*OVER, RunState.PAUSED}:
        world.crash(written=luck.random() < 0.5)


@settings(max_examples=examples(5), deadline=None)
@given(st.integers(0, 2**32))
def test_thousands_of_targets_keep_the_promises(seed: int) -> None:
    luck = random.Random(seed)
    world = World(big_stages(luck, 3000))
    for _ in range(100):
        step(world, luck)
    world.calm()


def test_what_is_blocked_in_a_passed_wave_blocks_later_ones() -> None:
    """A target that was skipped while blocked, and is retried while its need still fails."""
    of = [
        Stage("w0", "prod", (Work("x"),), 1),
        Stage("w1", "prod", (Work("y", ("x",)),)),
        Stage("w2", "prod", (Work("z", ("y",)),)),
    ]
    passed = dict.fromkeys(range(3), (WaveState.PASSED, 1))
    run = StateMachine(of, Past({"x": State.FAILED, "z": State.BLOCKED}, passed))
    while events := run.decide(2):
        for event in events:
            run.apply(event)
        assert run.may_start() == []
    assert run.state is RunState.DONE
    assert run.settled == {"x": State.FAILED, "y": State.BLOCKED, "z": State.BLOCKED}


def test_a_passed_wave_that_is_over_its_budget_by_now_fails_the_run() -> None:
    """Its last target was tried again and failed, and a crash came before the wave's end."""
    of = [Stage("w0", "prod", (Work("a"), Work("b")), 1), Stage("w1", "prod", (Work("c"),))]
    passed = {0: (WaveState.PASSED, 1), 1: (WaveState.RUNNING, None)}
    run = StateMachine(of, Past({"a": State.FAILED, "b": State.FAILED}, passed))
    assert run.may_start() == []
    assert run.decide(2) == [
        e.WaveEnded(2, 0, WaveState.FAILED, 2, "w0"),
        e.RunFailed(2, "2 targets of w0 failed; at most 1 may"),
    ]


def test_a_retried_target_lets_those_start_again_that_it_had_blocked() -> None:
    of = [
        Stage("w0", "prod", (Work("a"), Work("b", ("a",))), 1),
        Stage("w1", "prod", (Work("c", ("b",)), Work("d"))),
    ]
    settled = {"b": State.BLOCKED, "c": State.BLOCKED, "d": State.DONE}
    run = StateMachine(of, Past(settled, dict.fromkeys(range(2), (WaveState.PASSED, 1))))
    started = []
    while run.state not in OVER:
        for name in run.may_start():
            started.append(name)
            run.apply(e.AttemptStarted(2, name, 2))
            run.apply(e.AttemptEnded(2, 2, Outcome(name, State.DONE)))
        for event in run.decide(2):
            run.apply(event)
    assert started == ["a", "b", "c"]


def test_a_gate_that_failed_after_it_had_held_is_to_hold_again() -> None:
    run = StateMachine(
        [Stage("w", "prod", (), 0, (), (GateKind.QUERY,))], Past({}, {0: (WaveState.GATE, 1)})
    )
    run.apply(e.GatePassed(2, 0, GateKind.QUERY))
    assert run.gate is None
    run.apply(e.GateFailed(3, 0, GateKind.QUERY))
    assert run.decide(4) == []


def test_only_what_is_on_offer_starts() -> None:
    run = StateMachine([Stage("w", "prod", (Work("a"),))])
    with pytest.raises(ValueError, match="a is not on offer"):
        run.apply(e.AttemptStarted(1, "a", 1))


@pytest.mark.parametrize("waves", [1, 50])
def test_a_hundred_thousand_targets_are_driven_in_one_pass(waves: int) -> None:
    each, steps = 100_000 // waves, 0
    everything = Slot("all", 64)
    works = [Work(f"{n}", (), (everything,)) for n in range(100_000)]
    cut = [tuple(works[at * each : (at + 1) * each]) for at in range(waves)]
    run = StateMachine([Stage(f"w{at}", "prod", of) for at, of in enumerate(cut)])
    while run.state not in OVER:
        for event in run.decide(1):
            run.apply(event)
        for name in run.may_start(64):
            steps += 1
            run.apply(e.AttemptStarted(1, name, 1))
            run.apply(e.AttemptEnded(1, 1, Outcome(name, State.DONE)))
    assert run.state is RunState.DONE
    assert steps == 100_000


def test_a_hundred_thousand_blocked_targets_are_settled_in_one_pass() -> None:
    """Quadratic, it would take minutes."""
    run = StateMachine(
        [Stage("w", "prod", (Work("a"), *(Work(f"{n}", ("a",)) for n in range(100_000))), 1)]
    )
    run.apply(*run.decide(1))
    run.apply(e.AttemptStarted(1, *run.may_start(), 1))
    run.apply(e.AttemptEnded(1, 1, Outcome("a", State.FAILED)))
    blocked = run.decide(1)
    assert len(blocked) == 100_000
    for event in blocked:
        run.apply(event)
    assert run.decide(1) == [e.WaveEnded(1, 0, WaveState.PASSED, 1, "w")]
