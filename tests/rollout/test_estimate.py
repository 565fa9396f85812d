"""How long a wave will take."""

from heapq import heapreplace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rollout.estimate import Piece, seconds_for

PIECES = st.lists(
    st.builds(Piece, st.sampled_from("abc"), st.none() | st.integers(0, 10_000)), max_size=30
)
LIMIT = st.integers(1, 8)


@pytest.mark.parametrize(
    ("pieces", "parallel", "per_server", "seconds"),
    [
        ([], 4, 2, 0),
        ([Piece("a", None)], 4, 2, None),
        ([Piece("a", 1000)] * 8, 4, 4, 2),
        ([Piece("a", 1000)] * 8, 4, 2, 4),
        ([Piece("a", 1000)] * 4 + [Piece("b", 1000)] * 4, 8, 2, 2),
        ([Piece("a", 9000)] + [Piece("b", 100)] * 10, 8, 8, 9),
        ([Piece("a", 1000), Piece("a", None), Piece("a", 3000)], 1, 1, 6),
    ],
)
def test_estimates(pieces, parallel, per_server, seconds):
    assert seconds_for(pieces, parallel, per_server) == seconds


@given(PIECES, LIMIT, LIMIT)
def test_no_order_beats_it(pieces, parallel, per_server):
    estimate = seconds_for(pieces, parallel, per_server)
    if estimate is None:
        assert all(piece.milliseconds is None for piece in pieces)
        return
    known = [p.milliseconds for p in pieces if p.milliseconds is not None]
    took = [sum(known) / len(known) if p.milliseconds is None else p.milliseconds for p in pieces]
    places = [0.0] * parallel
    for time in sorted(took, reverse=True):
        heapreplace(places, places[0] + time)
    # Without limits of servers, an order that leaves no place idle takes at most twice as long.
    assert estimate * 1000 >= max(places) / 2 - 1e-6
    for server in "abc":
        of_server = [t for p, t in zip(pieces, took, strict=True) if p.server == server]
        assert estimate * 1000 >= sum(of_server) / per_server - 1e-6
    assert estimate * 1000 <= sum(took) + 1e-6


@given(PIECES, LIMIT, LIMIT)
def test_more_places_never_take_longer(pieces, parallel, per_server):
    estimate = seconds_for(pieces, parallel, per_server)
    if estimate is not None:
        assert seconds_for(pieces, parallel + 1, per_server) <= estimate
        assert seconds_for(pieces, parallel, per_server + 1) <= estimate
