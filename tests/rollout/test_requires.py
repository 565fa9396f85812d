"""Whether revisions have been where they must have been, and long enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rollout.requires import Lack, lacks, opens_at

HOUR = 3_600_000
NOW = 1_800_000_000_000
CHAIN = ["r1", "r2", "r3", "r4"]


def ancestors(heads):
    """Of a chain with a branch: r1 ← r2 ← r3 ← r4, and r1 ← b."""
    found = set()
    for head in heads:
        found |= {"r1", "b"} if head == "b" else set(CHAIN[: CHAIN.index(head) + 1])
    return found


def of(standings, revisions, soak=HOUR, names=("s/a/t",)):
    return lacks(names, {"s/a/t": standings}, ancestors, revisions, soak, NOW)


@pytest.mark.parametrize(
    ("standings", "revisions", "lack"),
    [
        ([(("r2",), NOW - HOUR)], ["r2"], None),
        ([(("r2",), NOW - HOUR)], ["r1", "r2"], None),
        ([], ["r1"], Lack("s/a/t", seen=False)),
        ([(("r1",), NOW - HOUR)], ["r1", "r3", "r2"], Lack("s/a/t", True, ("r3", "r2"))),
        ([((), NOW - HOUR)], ["r1"], Lack("s/a/t", True, ("r1",))),
        ([(("r2",), NOW - 1)], ["r2"], Lack("s/a/t", True, (), NOW - 1 + HOUR, HOUR - 1)),
        # A later revision does not take the age of an earlier one.
        ([(("r3",), NOW), (("r2",), NOW - HOUR)], ["r2"], None),
        (
            [(("r3",), NOW), (("r2",), NOW - HOUR)],
            ["r2", "r3"],
            Lack("s/a/t", True, (), NOW + HOUR, HOUR),
        ),
        # Taken back, and applied again.
        (
            [(("r2",), NOW - 5), (("r1",), NOW - 10), (("r2",), NOW - HOUR)],
            ["r2"],
            Lack("s/a/t", True, (), NOW - 5 + HOUR, HOUR - 5),
        ),
        ([(("r2", "b"), NOW - 5), (("b",), NOW - HOUR)], ["b"], None),
    ],
)
def test_one_target(standings, revisions, lack):
    assert of(standings, revisions) == ([] if lack is None else [lack])


def test_without_targets_or_revisions_nothing_is_lacking():
    assert of([], []) == []
    assert of([], ["r1"], names=()) == []


def test_what_is_there_at_once_needs_no_soak():
    assert of([(("r1",), NOW)], ["r1"], soak=0) == []


def test_a_clock_that_was_put_back_makes_nothing_older():
    (lack,) = of([(("r1",), NOW + HOUR)], ["r1"], soak=0)
    assert lack.ready_at == NOW + HOUR


def test_it_opens_by_time_alone_only_when_all_of_it_is_there():
    soaking = Lack("a", True, (), NOW + 5, 5)
    assert opens_at([soaking, Lack("b", True, (), NOW + 9, 9)]) == NOW + 9
    assert opens_at([soaking, Lack("b", seen=False)]) is None
    assert opens_at([soaking, Lack("b", True, ("r1",))]) is None
    assert opens_at([]) is None


@pytest.mark.parametrize(
    ("lack", "words"),
    [
        (Lack("s/a/t", seen=False), "s/a/t was never seen"),
        (Lack("s/a/t", True, ("r1", "r2")), "s/a/t is without r1, r2"),
        (Lack("s/a/t", True, tuple(CHAIN)), "s/a/t is without r1, r2, r3 and 1 more"),
        (Lack("s/a/t", True, (), NOW + 1, 1), "s/a/t has them in 1s"),
        (Lack("s/a/t", True, (), NOW, 59_000), "s/a/t has them in 59s"),
        (Lack("s/a/t", True, (), NOW, HOUR - 1), "s/a/t has them in 1h"),
        (Lack("s/a/t", True, (), NOW, HOUR - 60_000), "s/a/t has them in 59m"),
    ],
)
def test_words(lack, words):
    assert str(lack) == words


HEADS = st.sampled_from([(), ("r1",), ("r2",), ("r3",), ("r4",), ("b",), ("r2", "b"), ("r4", "b")])


@st.composite
def histories(draw):
    ages = sorted(draw(st.sets(st.integers(0, 40), min_size=1, max_size=6)))
    return [(draw(HEADS), NOW - age * HOUR) for age in ages]


@given(
    st.dictionaries(st.sampled_from(["x", "y", "z"]), histories()),
    st.sets(st.sampled_from([*CHAIN, "b"]), min_size=1),
    st.integers(0, 30),
)
def test_a_target_is_ready_when_it_had_everything_at_every_moment_of_the_soak(
    standings, revisions, soak
):
    def heads_at(name, moment):
        return next((h for h, since in standings.get(name, ()) if since <= moment), ())

    found = lacks(["x", "y", "z"], standings, ancestors, revisions, soak * HOUR, NOW)
    unready = {
        name
        for name in ("x", "y", "z")
        if any(
            not revisions <= ancestors(heads_at(name, NOW - age * HOUR)) for age in range(soak + 1)
        )
    }
    assert {lack.target for lack in found} == unready
    for lack in found:
        assert lack.seen == (lack.target in standings)
        if lack.ready_at is not None:
            assert not lacks(
                [lack.target], standings, ancestors, revisions, soak * HOUR, lack.ready_at
            )


def test_heads_are_looked_up_once():
    asked = []

    def counted(heads):
        asked.append(heads)
        return ancestors(heads)

    names = [f"n{n}" for n in range(100)]
    lacks(names, {n: [(["r1"], NOW), (["r2"], 0)] for n in names}, counted, ["r1"], HOUR, NOW)
    assert len(asked) == 2
