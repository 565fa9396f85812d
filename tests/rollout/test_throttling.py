"""How many targets a server is given once it ran out of something."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rollout.throttling import Throttle


def begun(*names: str) -> Throttle:
    crowding = Throttle()
    for name in names:
        crowding.begin("db1", name)
    return crowding


def test_failures_side_by_side_halve_the_number_once() -> None:
    crowding = begun(*"abcdef")

    assert crowding.end("db1", "a", exhausted=True) == 3
    assert [crowding.end("db1", name, exhausted=True) for name in "bcd"] == [None] * 3
    assert crowding.retries("db1", 3) == 4
    assert crowding.free("db1"), "two are at work, three may be"
    crowding.begin("db1", "a")
    assert not crowding.free("db1")
    assert crowding.free("db2"), "another server ran out of nothing"


def test_an_attempt_that_began_later_halves_it_again() -> None:
    crowding = begun(*"abcdef")
    for name in "abcdef":
        crowding.end("db1", name, exhausted=True)
    for name in "abc":
        crowding.begin("db1", name)

    assert crowding.end("db1", "c", exhausted=True) == 1
    assert crowding.retries("db1", 3) == 5


def test_what_fails_alone_or_of_something_else_changes_nothing() -> None:
    assert begun("a").end("db1", "a", exhausted=True) is None
    assert begun(*"ab").end("db1", "a") is None


@given(st.integers(1, 64), st.integers(1, 64))
def test_whatever_a_server_bears_all_come_through(count: int, bears: int) -> None:
    """Each attempt fails where more are at work than the server bears; then it is tried again."""
    crowding, waiting = Throttle(), [str(n) for n in range(count)]
    rounds = 0
    while waiting:
        rounds += 1
        started = []
        while waiting and crowding.free("db1"):
            started.append(waiting.pop(0))
            crowding.begin("db1", started[-1])
        failed = started[bears:]
        for name in started:
            crowding.end("db1", name, exhausted=name in failed)
        waiting += failed
        assert rounds <= 2 * count + 8
    assert crowding.retries("db1", 1) <= 7
