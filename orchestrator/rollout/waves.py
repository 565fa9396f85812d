"""Which wave takes which target, and in which order the targets of a wave run."""

import re
from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from orchestrator.config.rollouts import Wave
from orchestrator.rollout.candidates import (
    Candidate,
    Feature,
    Fleet,
    Unit,
    class_of,
    label_of,
    matches,
    pick,
)

__all__ = ["Candidate", "assign", "ordered_wave", "uncovered"]

_NUMBER = re.compile(r"-?\d{1,1000}(\.\d{1,1000})?", re.ASCII)


def assign(candidates: Sequence[Candidate], waves: Sequence[Wave], seed: str) -> list[int]:
    """Return for each candidate the position of its wave; ``len(waves)`` is the implicit last.

    The first wave that matches takes a target. A wave with ``pick`` takes tenants, each with all
    its databases: as many different schema classes and values of the labels of ``stratify`` as it
    can, otherwise by a digest of ``seed`` and their names, so that a tenant more or less changes
    little. Shared targets are picked where no tenant is in their way: where neither tenants nor
    others that could be picked need them, and they need no tenant.

    Guarantees that no target is in a later wave than one that needs it: what a target needs comes
    with it. Takes time in proportion to the targets, not to what they need.
    """
    fleet = Fleet(candidates)
    for at, wave in enumerate(waves):
        for unit in _chosen(fleet, wave, seed):
            for member in unit.members:
                fleet.put(member, at)
    return [fleet.places.get(candidate.name, len(waves)) for candidate in candidates]


def uncovered(
    candidates: Sequence[Candidate], places: Sequence[int], at: int, waves: Sequence[Wave]
) -> list[str]:
    """Return the schema classes and values of labels that a wave with ``pick`` should have a
    target of and has not, in words; ``places`` is what ``assign`` returned.

    There are some where ``pick`` is smaller than what there is to cover.
    """
    wave = waves[at]
    if wave.pick is None:
        return []
    fleet = Fleet(candidates)
    place = dict(zip((candidate.name for candidate in candidates), places, strict=True))
    free = [
        unit
        for unit in fleet.pickable(wave)
        if any(place[member.name] >= at for member in unit.members)
    ]
    wanted = dict.fromkeys(f for unit in free for f in fleet.features(unit, wave.stratify))
    for candidate in candidates:
        # A shared target that an earlier wave took is there for this one, too.
        if place[candidate.name] == at or (candidate.tenant is None and place[candidate.name] < at):
            wanted.pop(class_of(candidate), None)
            for label in wave.stratify:
                wanted.pop(label_of(candidate, label), None)
    return [_words(feature) for feature in wanted]


def ordered_wave(candidates: Sequence[Candidate], wave: Wave) -> list[str]:
    """Return the names of a wave's targets in the order in which they run.

    By the labels of ``order_by``: numbers by their value and before other texts, targets without
    the label last, whichever way it goes. Otherwise, and among equals, as they come. None comes
    before one of them that it needs.
    """
    found = list(candidates)
    for key in reversed(wave.order_by):
        found = _sorted(found, key.removeprefix("-"), descending=key.startswith("-"))
    return _after_needs(found)


def _sorted(candidates: list[Candidate], label: str, *, descending: bool) -> list[Candidate]:
    def key(candidate: Candidate) -> tuple[int, int | float, str]:
        return _sort_key(candidate.labels[label])

    there = [candidate for candidate in candidates if label in candidate.labels]
    lacking = [candidate for candidate in candidates if label not in candidate.labels]
    return sorted(there, key=key, reverse=descending) + lacking


def _chosen(fleet: Fleet, wave: Wave, seed: str) -> list[Unit]:
    if wave.pick is None:
        return [unit for unit in fleet.units if matches(wave, unit.labels)]
    units = [unit for unit in fleet.pickable(wave) if fleet.free(unit)]
    features = {unit.name: fleet.features(unit, wave.stratify) for unit in units}
    picked = pick(features, pick_of(wave.pick, len(units)), seed)
    return [unit for unit in units if unit.name in picked]


def _after_needs(candidates: Sequence[Candidate]) -> list[str]:
    """Return the names, each after those of the others that it needs."""
    by_name = {candidate.name: candidate for candidate in candidates}
    placed: dict[str, None] = {}
    opened: set[str] = set()
    done: set[int] = set()
    for candidate in candidates:
        # A stack of our own: a long chain must not end in a RecursionError.
        left = [candidate]
        while left:
            one = left[-1]
            if one.name in opened or id(one.needs) in done:
                left.pop()
                done.add(id(one.needs))
                placed.setdefault(one.name)
                continue
            opened.add(one.name)
            needs = [by_name[name] for name in one.needs if name in by_name]
            left += (need for need in reversed(needs) if need.name not in placed)
    return list(placed)


def _words(feature: Feature) -> str:
    database, label, value = feature
    return f"{label}={value}" if label else f"schema class {value} of {database}"


def _sort_key(text: str) -> tuple[int, int | float, str]:
    if not _NUMBER.fullmatch(text):
        return 1, 0, text
    return 0, float(text) if "." in text else int(text), ""


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
