"""The promises of the scheduler, in every history that hypothesis can think of."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.rollout.schedule import Schedule, Slot, Work
from tests.effort import examples

LIMITS = {"a": 1, "b": 2, "c": 3, "all": 4}


@st.composite
def works(draw: st.DrawFn) -> list[Work]:
    """Works that need earlier ones, and others that are not here, and share slots."""
    result: list[Work] = []
    names: list[str] = []
    for number in range(draw(st.integers(1, 16))):
        needs = draw(st.lists(st.sampled_from([*names, "elsewhere"]), unique=True, max_size=3))
        keys = draw(st.lists(st.sampled_from(sorted(LIMITS)), unique=True, max_size=3))
        slots = tuple(Slot(key, LIMITS[key]) for key in sorted(keys))
        names.append(f"{number}")
        result.append(Work(names[-1], tuple(needs), slots))
    return result


class Simulation:
    """Runs a schedule with made-up results, and checks every promise at every moment."""

    def __init__(self, plan: list[Work]) -> None:
        self.plan = {work.name: work for work in plan}
        self.schedule = Schedule(plan)
        self.running: list[str] = []
        self.ended: dict[str, bool] = {}
        self.blocked: dict[str, str] = {}

    def start(self) -> None:
        for name in self.schedule.start():
            work = self.plan[name]
            assert name not in self.ended
            assert name not in self.blocked
            assert all(self.ended.get(need, need == "elsewhere") for need in work.needs)
            self.running.append(name)
        used = Counter(slot for name in self.running for slot in self.plan[name].slots)
        assert all(count <= slot.limit for slot, count in used.items())
        assert self.schedule.running == len(self.running)

    def finish(self, name: str, *, succeeded: bool) -> None:
        self.running.remove(name)
        self.ended[name] = succeeded
        for blocked in self.schedule.finish(name, succeeded=succeeded):
            assert blocked.name not in self.ended
            assert blocked.name not in self.blocked
            assert self.ended[blocked.by] is False
            self.blocked[blocked.name] = blocked.by

    def requeue(self, name: str) -> None:
        self.running.remove(name)
        self.schedule.requeue(name)


@settings(max_examples=examples(400), deadline=None)
@given(works(), st.data())
def test_every_history_keeps_the_promises_and_ends(plan: list[Work], data: st.DataObject) -> None:
    run = Simulation(plan)
    while not run.schedule.done:
        run.start()
        assert run.running, "nothing runs and nothing may start, yet it is not done"
        name = data.draw(st.sampled_from(run.running))
        if data.draw(st.integers(0, 5)) == 5:
            run.requeue(name)
            continue
        run.finish(name, succeeded=data.draw(st.integers(0, 4)) > 0)
    assert set(run.ended) | set(run.blocked) == set(run.plan)
    assert run.schedule.unstarted == ()


@settings(max_examples=examples(200), deadline=None)
@given(works(), st.data())
def test_nothing_waits_that_could_start(plan: list[Work], data: st.DataObject) -> None:
    run = Simulation(plan)
    while not run.schedule.done:
        run.start()
        used = Counter(slot for name in run.running for slot in run.plan[name].slots)
        for work in plan:
            idle = work.name not in {*run.ended, *run.blocked, *run.running}
            if idle and all(run.ended.get(n, n == "elsewhere") for n in work.needs):
                assert any(used[slot] >= slot.limit for slot in work.slots), work.name
        run.finish(data.draw(st.sampled_from(run.running)), succeeded=data.draw(st.booleans()))


@settings(max_examples=examples(200), deadline=None)
@given(works())
def test_one_at_a_time_runs_in_the_order_given(plan: list[Work]) -> None:
    single = Slot("single", 1)
    run = Simulation([Work(w.name, w.needs, (*w.slots, single)) for w in plan])
    order = []
    while not run.schedule.done:
        run.start()
        (name,) = run.running
        order.append(name)
        run.finish(name, succeeded=True)
    assert order == [work.name for work in plan]


@settings(max_examples=examples(200), deadline=None)
@given(works(), st.data())
def test_after_stop_nothing_starts(plan: list[Work], data: st.DataObject) -> None:
    run = Simulation(plan)
    run.start()
    for _ in range(data.draw(st.integers(0, 3))):
        if run.running:
            run.finish(data.draw(st.sampled_from(run.running)), succeeded=True)
            run.start()
    run.schedule.stop()
    assert run.schedule.start() == []
    while run.running:
        run.finish(run.running[0], succeeded=data.draw(st.booleans()))
        assert run.schedule.start() == []
    assert run.schedule.done
    assert {*run.schedule.unstarted} == {*run.plan} - {*run.ended} - {*run.blocked}


def test_what_needs_a_failed_one_is_blocked_and_the_rest_goes_on() -> None:
    plan = [Work("a"), Work("b"), Work("a2", ("a",)), Work("a3", ("a2", "b"))]
    schedule = Schedule(plan)
    assert schedule.start() == ["a", "b"]
    blocked = schedule.finish("a", succeeded=False)
    assert [(b.name, b.by) for b in blocked] == [("a2", "a"), ("a3", "a")]
    assert schedule.finish("b", succeeded=True) == []
    assert schedule.done


@settings(max_examples=examples(200), deadline=None)
@given(works(), st.integers(1, 3))
def test_what_starts_in_portions_is_what_starts_at_once(plan: list[Work], limit: int) -> None:
    schedule = Schedule(plan)
    portions = []
    while portion := schedule.start(limit):
        assert len(portion) <= limit
        portions += portion
    assert portions == Schedule(plan).start()


def test_settling_what_does_not_run_is_a_bug() -> None:
    schedule = Schedule([Work("a", (), (Slot("s", 1),)), Work("b", (), (Slot("s", 1),))])
    schedule.start()
    with pytest.raises(ValueError, match="b is not running"):
        schedule.finish("b", succeeded=True)
    with pytest.raises(ValueError, match="b is not running"):
        schedule.requeue("b")


def test_a_hundred_thousand_works_are_scheduled_in_one_pass() -> None:
    """Bounded work, counted and not timed: each start and finish touches few lanes."""
    server = [Slot(f"server {n}", 4) for n in range(50)]
    everything = Slot("all", 64)
    plan = [Work(f"{n}", (), (everything, server[n % 50])) for n in range(100_000)]
    schedule = Schedule(plan)
    running: list[str] = []
    done = 0
    while not schedule.done:
        running += schedule.start()
        schedule.finish(running.pop(0), succeeded=True)
        done += 1
    assert done == 100_000
