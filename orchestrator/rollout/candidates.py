"""Targets that are to be put into waves, and what comes with which of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from heapq import heapify, heappop, heappush

from orchestrator.config.rollouts import Wave

Feature = tuple[str, str, str]
Features = frozenset[Feature]
"""What something stands for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target of one environment, with what decides about its wave."""

    name: str
    database: str
    tenant: str | None
    labels: Mapping[str, str]
    schema_class: str | None
    """``None`` where its schema was not read: then it stands for no class."""
    needs: Sequence[str]
    """The targets that must be done first. Thousands may share one tuple of thousands."""


@dataclass(slots=True)
class Unit:
    """What is picked as a whole: a tenant with all its databases, or a shared target."""

    name: str
    members: list[Candidate]
    labels: Mapping[str, str]


class Fleet:
    """Where candidates are so far, and what comes with what."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.places: dict[str, int] = {}
        self.units = _units_of(candidates)
        self._by_name = {candidate.name: candidate for candidate in candidates}
        self._done: set[int] = set()
        self._shared: dict[int, tuple[Candidate, ...]] = {}
        self._classes: dict[tuple[str, ...], Features] = {}
        late = _that_need_tenants(candidates, self._by_name)
        needed = _needed(c for c in candidates if c.name not in late)
        self._never_picked = {
            c.name for c in candidates if c.tenant is None and (c.name in late or c.name in needed)
        }

    def put(self, candidate: Candidate, at: int) -> None:
        """Put a candidate into a wave, with all that it needs and that is in none yet."""
        left = [candidate]
        while left:
            one = left.pop()
            if one.name in self.places:
                continue
            self.places[one.name] = at
            # What the same tuple names has been put somewhere before, and stays there.
            if id(one.needs) not in self._done:
                self._done.add(id(one.needs))
                left += (self._by_name[name] for name in one.needs if name in self._by_name)

    def free(self, unit: Unit) -> bool:
        """Whether any of a unit is in no wave yet."""
        return any(member.name not in self.places for member in unit.members)

    def pickable(self, wave: Wave) -> list[Unit]:
        """Return what a wave may pick from, if it is free."""
        return [
            unit
            for unit in self.units
            if matches(wave, unit.labels) and unit.name not in self._never_picked
        ]

    def features(self, unit: Unit, stratify: Sequence[str]) -> Features:
        """Return what a unit stands for: classes, of the shared targets that it needs as well,
        and values of labels."""
        shared: dict[str, Candidate] = {}
        for member in unit.members:
            shared.update((c.name, c) for c in self._shared_in(member.needs))
        labels = (label_of(unit, name) for name in stratify if name in unit.labels)
        own = (class_of(member) for member in unit.members if member.schema_class is not None)
        return frozenset((*own, *labels)) | self._classes_with(tuple(shared))

    def _classes_with(self, names: tuple[str, ...]) -> Features:
        """Return the classes of shared targets and of all shared ones that these need."""
        if names not in self._classes:
            found: dict[str, Candidate] = {}
            left = [self._by_name[name] for name in names]
            while left:
                one = left.pop()
                if one.name not in found:
                    found[one.name] = one
                    left += self._shared_in(one.needs)
            self._classes[names] = frozenset(
                class_of(one) for one in found.values() if one.schema_class is not None
            )
        return self._classes[names]

    def _shared_in(self, needs: Sequence[str]) -> tuple[Candidate, ...]:
        if id(needs) not in self._shared:
            found = (self._by_name.get(name) for name in needs)
            self._shared[id(needs)] = tuple(
                one for one in found if one is not None and one.tenant is None
            )
        return self._shared[id(needs)]


def matches(wave: Wave, labels: Mapping[str, str]) -> bool:
    """Whether a tenant's labels are those that a wave is about."""
    return all(labels.get(label) in values for label, values in wave.where.items())


def class_of(candidate: Candidate) -> Feature:
    """Return the schema class of a target as what it stands for."""
    return candidate.database, "", candidate.schema_class or ""


def label_of(one: Candidate | Unit, label: str) -> Feature:
    """Return the value of a label as what something stands for."""
    return "", label, one.labels.get(label, "")


def _units_of(candidates: Sequence[Candidate]) -> list[Unit]:
    """A tenant's name has no slash, a target's has: they never meet."""
    units: dict[str, Unit] = {}
    for candidate in candidates:
        name = candidate.name if candidate.tenant is None else candidate.tenant
        unit = units.setdefault(name, Unit(name, [], candidate.labels))
        unit.members.append(candidate)
    return list(units.values())


def _that_need_tenants(
    candidates: Sequence[Candidate], by_name: Mapping[str, Candidate]
) -> set[str]:
    """Return the shared targets that can't be done before some tenant is."""
    shared = [candidate for candidate in candidates if candidate.tenant is None]
    waiting: dict[str, list[Candidate]] = {}
    left: list[Candidate] = []
    for candidate in shared:
        needed = [by_name[name] for name in candidate.needs if name in by_name]
        if any(one.tenant is not None for one in needed):
            left.append(candidate)
        for one in needed:
            if one.tenant is None:
                waiting.setdefault(one.name, []).append(candidate)
    found: set[str] = set()
    while left:
        one = left.pop()
        if one.name not in found:
            found.add(one.name)
            left += waiting.get(one.name, ())
    return found


def _needed(candidates: Iterable[Candidate]) -> set[str]:
    return {name for needs in _each_once(candidates) for name in needs}


def _each_once(candidates: Iterable[Candidate]) -> Iterator[Sequence[str]]:
    seen: set[int] = set()
    for candidate in candidates:
        if id(candidate.needs) not in seen:
            seen.add(id(candidate.needs))
            yield candidate.needs


def pick(features: Mapping[str, Features], count: int, seed: str) -> set[str]:
    """Return ``count`` names, or all: each time the one that adds most features.

    Of equals the one whose SHA-256 with ``seed`` is smallest. The order of ``features`` says
    nothing, so the same names with the same features are picked wherever they come from.
    """
    alike: dict[Features, list[tuple[str, str]]] = {}
    for name, own in features.items():
        alike.setdefault(own, []).append((_rank(seed, name), name))
    for ranked in alike.values():
        ranked.sort(reverse=True)
    heap = [(-len(own), *ranked.pop(), own) for own, ranked in alike.items()]
    heapify(heap)
    covered: set[Feature] = set()
    picked: set[str] = set()
    while heap and len(picked) < count:
        claimed, rank, name, own = heappop(heap)
        gain = len(own - covered)
        if gain < -claimed:  # others came first; what it adds only ever gets less
            heappush(heap, (-gain, rank, name, own))
            continue
        picked.add(name)
        covered |= own
        if alike[own]:
            heappush(heap, (0, *alike[own].pop(), own))
    return picked


def _rank(seed: str, name: str) -> str:
    return sha256(f"{seed}\0{name}".encode()).hexdigest()
