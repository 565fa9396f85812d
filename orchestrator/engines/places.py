"""Which workers a job may go to, by the place that it asks for. Pure."""

from collections.abc import Mapping

ANY_PLACE = "*"
"""What a worker offers that takes jobs of every place."""


def offers(offered: str | None, asked: str | None) -> bool:
    """Whether a worker of one place takes jobs that ask for another; ``None`` asks for none."""
    return asked is None or offered in (asked, ANY_PLACE)


def candidates(asked: str | None, free: Mapping[str | None, int]) -> list[str | None]:
    """Return the offered places where a job gets one of the ``free`` slots, the best one first.

    That is its own, so that workers of any place keep theirs for those who have no other.
    """
    there = [place for place, slots in free.items() if slots > 0 and offers(place, asked)]
    return sorted(there, key=lambda place: (place != asked, -free[place]))
