"""Counts and percentages of targets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rollout.waves import count_of, pick_of

TOTALS = st.integers(0, 200_000)
PERCENTAGES = st.decimals(0, 100, places=3).map(lambda d: f"{d}%")


@pytest.mark.parametrize(
    ("budget", "total", "count"),
    [
        (0, 10, 0),
        (3, 10, 3),
        ("1%", 50, 0),
        ("1%", 100, 1),
        ("1%", 199, 1),
        ("0.5%", 1000, 5),
        ("0.7%", 1000, 7),
        ("100%", 7, 7),
        ((3, "1%"), 50, 3),
        ((3, "1%"), 1000, 10),
        (("1%", 3), 1000, 10),
        ("50%", 0, 0),
    ],
)
def test_budgets(budget, total, count):
    assert count_of(budget, total) == count


@pytest.mark.parametrize(
    ("share", "total", "count"),
    [
        (5, 100, 5),
        (5, 3, 3),
        (5, 0, 0),
        ("1%", 50, 1),
        ("1%", 100, 1),
        ("1%", 101, 2),
        ("0.07%", 10_000, 7),  # in floats a hair more, and then 8
        ("0.001%", 1, 1),
        ("100%", 7, 7),
        ("1%", 0, 0),
    ],
)
def test_picks(share, total, count):
    assert pick_of(share, total) == count


@given(PERCENTAGES, TOTALS)
def test_a_budget_is_the_most_that_keeps_the_percentage(percentage, total):
    budget = count_of(percentage, total)
    per_mille = round(float(percentage[:-1]) * 1000)
    assert budget * 100_000 <= per_mille * total < (budget + 1) * 100_000


@given(PERCENTAGES, st.integers(1, 200_000))
def test_a_pick_is_the_least_that_reaches_the_percentage_and_some(percentage, total):
    picked = pick_of(percentage, total)
    per_mille = round(float(percentage[:-1]) * 1000)
    assert 1 <= picked <= total
    assert picked * 100_000 >= per_mille * total
    assert picked == 1 or (picked - 1) * 100_000 < per_mille * total


@given(st.integers(0, 1000), PERCENTAGES, TOTALS)
def test_of_both_the_larger_counts(count, percentage, total):
    assert count_of((count, percentage), total) == max(count, count_of(percentage, total))
