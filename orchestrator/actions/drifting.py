"""``drift``: which databases differ from their siblings, and how."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import TargetsFailed
from orchestrator.fleet.drift import Drift, drift
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome
from orchestrator.snapshot.classes import SchemaClass, schema_classes
from orchestrator.snapshot.reader import SnapshotReader

Pair = tuple[Target, Outcome]


@dataclass(frozen=True, slots=True)
class Deviation:
    """A class that is not like its siblings' baseline."""

    of: SchemaClass
    differences: tuple[Drift, ...]
    failure: str | None = None
    """Why it can't be said how it differs."""


@dataclass(frozen=True, slots=True)
class Siblings:
    """Targets of one database at one revision, and those of them that differ."""

    baseline: SchemaClass
    deviations: tuple[Deviation, ...]

    @property
    def classes(self) -> tuple[SchemaClass, ...]:
        """The baseline first."""
        return (self.baseline, *(deviation.of for deviation in self.deviations))


@dataclass(frozen=True, slots=True)
class DriftResult:
    """What ``drift`` found, database by database.

    ``exit_code``: 130 interrupted, else 4 when there is more than one class at a revision, else 3
    when a target could not be read, else 0.
    """

    targets: tuple[Target, ...]
    siblings: tuple[Siblings, ...]
    unreadable: tuple[Pair, ...] = ()
    interrupted: bool = False
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the program exits with."""
        if self.interrupted:
            return 130
        if any(siblings.deviations for siblings in self.siblings):
            return 4
        return 3 if self.unreadable else 0


def find_drift(
    workers: Workers, targets: Sequence[Target], observer: Observer, baseline: str | None
) -> DriftResult:
    """Read all schemas, and compare one of each class with its baseline.

    Raises ``TargetsFailed`` when the target ``baseline`` could not be read.
    """
    began = time.monotonic()
    observer.begin("drift", targets)
    snapshot = SnapshotReader(workers, schemas=True)
    outcomes = snapshot.outcomes(targets, observer)
    pairs = [(target, outcomes[target.name]) for target in targets]
    siblings = () if workers.interrupted else _siblings(snapshot, pairs, baseline)
    return DriftResult(
        tuple(targets),
        siblings,
        tuple(pair for pair in pairs if pair[1].fingerprint is None),
        workers.interrupted,
        round(time.monotonic() - began, 3),
        tuple(snapshot.warnings),
    )


def _siblings(
    snapshot: SnapshotReader, pairs: Sequence[Pair], baseline: str | None
) -> tuple[Siblings, ...]:
    """Group classes by what they should have in common, and tell how each differs from the first:
    the largest, or the one that ``baseline`` is in."""
    families = [
        _first(list(classes), baseline)
        for _, classes in groupby(schema_classes(pairs), key=lambda of: of.siblings)
    ]
    if baseline is not None and not any(_has(of, baseline) for f in families for of in f):
        raise TargetsFailed(f"the baseline {baseline} could not be read\n  {_why(pairs, baseline)}")
    things = _things(snapshot, families)
    return tuple(
        Siblings(first, tuple(_deviations(first, others, things))) for first, *others in families
    )


def _first(classes: list[SchemaClass], baseline: str | None) -> list[SchemaClass]:
    """Put the baseline's class first, if it is one of them; they come by size."""
    return sorted(classes, key=lambda of: baseline is None or not _has(of, baseline))


def _has(of: SchemaClass, target: str) -> bool:
    return any(member.name == target for member in of.members)


def _why(pairs: Iterable[Pair], name: str) -> str:
    failures = (outcome.failure for target, outcome in pairs if target.name == name)
    failure = next(failures, None)
    return failure.message if failure is not None else "look with `orchestrator status`"


def _things(
    snapshot: SnapshotReader, families: Sequence[Sequence[SchemaClass]]
) -> Mapping[str, tuple[Thing, ...] | Exception]:
    """Read one member of each class that is not alone."""
    read = [of.members[0].name for family in families if len(family) > 1 for of in family]
    return snapshot.things(read)


def _deviations(
    first: SchemaClass,
    others: Iterable[SchemaClass],
    things: Mapping[str, tuple[Thing, ...] | Exception],
) -> Iterable[Deviation]:
    for of in others:
        ours, theirs = things[of.members[0].name], things[first.members[0].name]
        failed = next((found for found in (ours, theirs) if isinstance(found, Exception)), None)
        if isinstance(ours, Exception) or isinstance(theirs, Exception):
            yield Deviation(of, (), str(failed))
        else:
            yield Deviation(of, drift(ours, theirs))
