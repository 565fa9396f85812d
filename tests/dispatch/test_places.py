"""Places: what the queue may offer, what takes a slot before it starts, whose place is empty."""

from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.interrupts import Interrupts
from orchestrator.dispatch.observer import NullObserver
from orchestrator.engines.base import EngineEvent, Finished
from orchestrator.engines.places import ANY_PLACE, candidates, offers
from orchestrator.rollout.outcomes import Outcome, State

PLACES = {"e1": "eu", "e2": "eu", "u1": "us", "u2": "us"}
NAMES = [*PLACES, "free"]
TARGETS: Any = {
    name: SimpleNamespace(name=name, environment="prod", database="app", server="s")
    for name in NAMES
}


class Slots:
    """An engine with free slots in places; jobs end when they are told to."""

    def __init__(self, **free: int) -> None:
        self.free = Counter[str | None](
            {ANY_PLACE if p == "anywhere" else p: n for p, n in free.items()}
        )
        self.running: dict[str, str | None] = {}
        self.ended: list[str] = []

    @property
    def busy(self) -> int:
        return len(self.running)

    def capacity_of(self, place: str | None) -> int:
        used = sum(offers(at, place) for at in self.running.values())
        return used + sum(n for at, n in self.free.items() if offers(at, place))

    def room(self, place: str | None, before: Sequence[str | None] = ()) -> int:
        free = self.free.copy()
        for asked in before:
            for at in candidates(asked, free)[:1]:
                free[at] -= 1
        return sum(n for at, n in free.items() if offers(at, place))

    def submit(self, key: str, _: Any, __: float, *, kind: str, place: str | None) -> None:
        at = candidates(place, self.free)[0]
        self.free[at] -= 1
        self.running[key] = at

    def wait(self, _: float) -> list[EngineEvent]:
        ended, self.ended = self.ended, []
        for key in ended:
            self.free[self.running.pop(key)] += 1
        return [Finished(key, Outcome(key, State.CURRENT)) for key in ended]


class Limits:
    """A queue that keeps what it is told."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def set_limit(self, key: str, limit: int) -> None:
        self.of[key] = limit


class Waiting(NullObserver):
    def __init__(self) -> None:
        self.told: list[str] = []

    def waiting(self, what: str, why: str) -> None:
        self.told.append(f"{what}: {why}")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.dispatch.dispatcher._TELL_INTERVAL", 0.0)


def new(engine: Any, queue: Any = None) -> tuple[Dispatcher, Waiting]:
    observer = Waiting()
    queue = queue or Limits()
    return Dispatcher(engine, observer, Interrupts(), TARGETS, queue, PLACES), observer


def start(dispatcher: Dispatcher, *names: str) -> list[str]:
    """Reserve what there is room for, then submit it, as the loop of a run does."""
    reserved = []
    for name in names:
        if dispatcher.has_room(name):
            dispatcher.reserve(name)
            reserved.append(name)
    for name in reserved:
        job: Any = None
        assert dispatcher.submit(name, job, 9.0) is None
    return reserved


@pytest.mark.parametrize(
    ("free", "names", "started"),
    [
        ({"eu": 1, "us": 1}, ["free", "e1", "u1"], ["free", "u1"]),
        ({"eu": 1, "us": 1}, ["e1", "free", "u1"], ["e1", "free"]),
        ({"anywhere": 2}, ["e1", "u1", "e2", "free"], ["e1", "u1"]),
        ({"eu": 1, "anywhere": 1}, ["e1", "u1", "e2"], ["e1", "u1"]),
        ({"eu": 1, "anywhere": 1}, ["e1", "e2", "u1"], ["e1", "e2"]),
    ],
)
def test_what_is_about_to_start_takes_the_slot_of_whoever_shares_it(
    free: dict[str, int], names: list[str], started: list[str]
) -> None:
    dispatcher, _ = new(Slots(**free))

    assert start(dispatcher, *names) == started


def test_a_place_is_offered_what_workers_of_any_place_have_left() -> None:
    engine, queue = Slots(us=1, anywhere=1), Limits()
    dispatcher, _ = new(engine, queue)
    assert (queue.of["workers of eu"], queue.of["workers of us"]) == (1, 2)

    assert start(dispatcher, "e1", "e2") == ["e1"]
    dispatcher.wait()
    assert (queue.of["workers of eu"], queue.of["workers of us"]) == (1, 1)

    engine.ended.append("e1")
    dispatcher.wait()
    assert (queue.of["workers of eu"], queue.of["workers of us"]) == (1, 2)


def test_an_empty_place_is_told_once_and_again_after_it_had_a_worker() -> None:
    engine = Slots(us=1)
    dispatcher, observer = new(engine)
    told = (
        "for a worker of place eu: there is none; "
        "start one within 1m: orchestrator worker --place eu"
    )

    assert dispatcher.nobody(["u1", "free"], 60.0) is None
    assert observer.told == []
    for _ in range(3):
        assert dispatcher.nobody(NAMES, 60.0) is None
    assert observer.told == [told]
    engine.free["eu"] = 1
    dispatcher.wait()
    engine.free["eu"] = 0
    dispatcher.wait()
    dispatcher.nobody(NAMES, 60.0)
    assert observer.told == [told, told]


def test_nobody_at_all_is_told_of_each_place_and_of_none() -> None:
    dispatcher, observer = new(Slots())

    why = dispatcher.nobody(["e1", "free"], 0.0)

    assert why == "there is no worker of place eu; start one: orchestrator worker --place eu"
    assert [line.partition(":")[0] for line in observer.told] == [
        "for a worker",
        "for a worker of place eu",
    ]


def test_a_slot_of_its_own_place_is_taken_before_one_of_any() -> None:
    free: dict[str | None, int] = {ANY_PLACE: 9, "eu": 1, None: 2, "us": 3}

    assert candidates("eu", free) == ["eu", ANY_PLACE]
    assert candidates("asia", free) == [ANY_PLACE]
    assert candidates(None, free) == [None, ANY_PLACE, "us", "eu"]
    assert candidates("eu", {"us": 1, "eu": 0}) == []
