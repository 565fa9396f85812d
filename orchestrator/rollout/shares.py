"""How many targets a share of them is."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

Share = int | str
"""A count, or a percentage: ``"1%"``."""


def count_of(budget: Share | Sequence[Share], total: int) -> int:
    """Return how many of ``total`` targets may fail; of several shares, the larger.

    A percentage is rounded down: 1% of 50 is none.
    """
    if isinstance(budget, int):
        return budget
    if isinstance(budget, str):
        return floor(_part(budget, total))
    return max((count_of(share, total) for share in budget), default=0)


def pick_of(share: Share, total: int) -> int:
    """Return how many of ``total`` are picked: at least one where there is one, at most all.

    A percentage is rounded up: 1% of 50 is one.
    """
    count = share if isinstance(share, int) else ceil(_part(share, total))
    return min(max(count, 1), total)


def _part(percentage: str, total: int) -> Fraction:
    # Not a float: 0.07% of 10,000 is 7, and 7.000000000000001 rounded up is 8.
    return Fraction(percentage.removesuffix("%")) * total / 100
