"""``identify``: which revisions a target's schema fits, whatever its version table says."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.actions.walking import Heads, Stand, Things, made_by_history, walked_history
from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.drift import Drift, drift
from orchestrator.fleet.location import backend_of
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome
from orchestrator.snapshot.classes import (
    Schema,
    SchemaClass,
    by_schema,
    dialect_of,
    schema_classes,
)
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.snapshot.unversioned import told_apart


@dataclass(frozen=True, slots=True)
class Identity:
    """What a target's schema says of where it is."""

    target: Target
    outcome: Outcome
    """As of ``status``."""
    fits: tuple[Heads, ...] = ()
    """Revisions after which a schema is like its own; several where some change only data."""
    by: str = ""
    """What tells: ``siblings``, or ``history``, which was walked on a scratch database."""
    nearest: Heads | None = None
    """Where none fits: the one that it differs least from; ``()`` is an empty database."""
    differences: tuple[Drift, ...] = ()
    """From the nearest."""
    note: str = ""
    """Why less is known than could be."""

    @property
    def is_as_said(self) -> bool:
        """Whether it is where its version table says."""
        return bool(self.outcome.heads) and self.outcome.heads in self.fits


@dataclass(frozen=True, slots=True)
class IdentifyResult:
    """``exit_code``: 130 interrupted, else 3 when a target could not be read, else 4 when one fits
    no revision or another one than its version table says, else 0."""

    identities: tuple[Identity, ...]
    interrupted: bool = False
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the program exits with."""
        if self.interrupted:
            return 130
        if any(identity.outcome.fingerprint is None for identity in self.identities):
            return 3
        return 0 if all(identity.is_as_said for identity in self.identities) else 4


def identify(
    workers: Workers, targets: Sequence[Target], siblings: Sequence[Target], observer: Observer
) -> IdentifyResult:
    """Compare each target with its siblings, and where none is like it, with its history."""
    began = time.monotonic()
    everybody = tuple({target.name: target for target in (*targets, *siblings)}.values())
    observer.begin("identify", everybody)
    snapshot = SnapshotReader(workers, schemas=True)
    outcomes = told_apart(snapshot, everybody, snapshot.outcomes(everybody, observer))
    classes = schema_classes((target, outcomes[target.name]) for target in everybody)
    standing = by_schema(classes)
    found = {
        target.name: _by_siblings(target, outcomes[target.name], standing) for target in targets
    }
    if not workers.interrupted:
        left = [
            target
            for target in targets
            if not found[target.name].fits and outcomes[target.name].fingerprint is not None
        ]
        found |= _by_history(workers, snapshot, left, classes, outcomes)
    return IdentifyResult(
        tuple(found[target.name] for target in targets),
        workers.interrupted,
        round(time.monotonic() - began, 3),
        tuple(snapshot.warnings),
    )


def _by_siblings(
    target: Target, outcome: Outcome, standing: Mapping[Schema, Sequence[SchemaClass]]
) -> Identity:
    if outcome.fingerprint is None:
        return Identity(target, outcome)
    alike = standing.get((target.database, dialect_of(outcome), outcome.fingerprint), ())
    fits = [of.heads for of in alike if any(one.name != target.name for one in of.members)]
    return Identity(target, outcome, tuple(sorted(fits)), "siblings" if fits else "")


def _by_history(
    workers: Workers,
    snapshot: SnapshotReader,
    targets: Sequence[Target],
    classes: Sequence[SchemaClass],
    outcomes: Mapping[str, Outcome],
) -> dict[str, Identity]:
    """Compare with the history of each database, walked once for each kind of place, and with the
    classes of siblings. Each schema is compared once, however many targets have it."""
    groups: dict[tuple[str, str, str, bool], dict[str | None, list[Target]]] = {}
    for target in targets:
        outcome, reading = outcomes[target.name], snapshot.readings[target.name]
        key = (target.database, dialect_of(outcome), backend_of(reading.driver), reading.in_schema)
        groups.setdefault(key, {}).setdefault(outcome.fingerprint, []).append(target)
    found: dict[str, Identity] = {}
    for (database, dialect, *_), schemas in groups.items():
        firsts = [alike[0] for alike in schemas.values()]
        held = snapshot.things([first.name for first in firsts])
        history, note = walked_history(workers, snapshot, firsts[0], held[firsts[0].name])
        like_it = [of for of in classes if of.heads and of.siblings[:2] == (database, dialect)]
        siblings = _stands_of(snapshot, like_it)
        for first, alike in zip(firsts, schemas.values(), strict=True):
            own, outcome = held[first.name], outcomes[first.name]
            if isinstance(own, Exception):
                one = Identity(first, outcome, note=str(own))
            else:
                # Where it is itself, by its version table, is what is in question.
                others = [stand for print_, stand in siblings if print_ != outcome.fingerprint]
                one = replace(_compared(first, outcome, own, history, others), note=note)
            found |= {t.name: replace(one, target=t, outcome=outcomes[t.name]) for t in alike}
    return found


def _stands_of(snapshot: SnapshotReader, like_it: Sequence[SchemaClass]) -> list[tuple[str, Stand]]:
    """Return the schemas of classes, each with its fingerprint."""
    held = snapshot.things([of.members[0].name for of in like_it])
    return [
        (of.fingerprint, Stand(of.heads, "siblings", things))
        for of in like_it
        if not isinstance(things := held[of.members[0].name], Exception)
    ]


def _compared(
    target: Target,
    outcome: Outcome,
    own: Things,
    history: Sequence[Stand],
    siblings: Sequence[Stand],
) -> Identity:
    ours = made_by_history(own)
    ways = [(drift(ours, stand.things), stand) for stand in history]
    fits = tuple(stand.heads for differences, stand in ways if not differences and stand.heads)
    if fits:
        return Identity(target, outcome, fits, "history")
    ways += [(drift(own, stand.things), stand) for stand in siblings]
    if not ways:
        return Identity(target, outcome)
    differences, stand = min(ways, key=lambda way: len(way[0]))
    return Identity(target, outcome, (), stand.by, stand.heads, differences)
