"""``identify``: which revisions a target's schema fits, whatever its version table says."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.actions.crew import Crew
from orchestrator.actions.results import Observer
from orchestrator.actions.survey import Survey
from orchestrator.actions.walking import Heads, Stand, Things, made_by_history, walked_history
from orchestrator.fleet.drift import Drift, drift
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome


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
        """The exit code of DESIGN.md."""
        if self.interrupted:
            return 130
        if any(identity.outcome.fingerprint is None for identity in self.identities):
            return 3
        return 0 if all(identity.is_as_said for identity in self.identities) else 4


def identify(
    crew: Crew, targets: Sequence[Target], siblings: Sequence[Target], observer: Observer
) -> IdentifyResult:
    """Compare each target with its siblings, and where none is like it, with its history."""
    began = time.monotonic()
    everybody = tuple({target.name: target for target in (*targets, *siblings)}.values())
    observer.begin("identify", everybody)
    survey = Survey(crew, schemas=True)
    outcomes = survey.outcomes(everybody, observer)
    found = {target.name: _by_siblings(target, everybody, outcomes) for target in targets}
    if not crew.interrupted:
        left = [
            target
            for target in targets
            if not found[target.name].fits and outcomes[target.name].fingerprint is not None
        ]
        found |= _by_history(crew, survey, left, everybody, outcomes)
    return IdentifyResult(
        tuple(found[target.name] for target in targets),
        crew.interrupted,
        round(time.monotonic() - began, 3),
        tuple(survey.warnings),
    )


def _by_siblings(
    target: Target, everybody: Sequence[Target], outcomes: Mapping[str, Outcome]
) -> Identity:
    outcome = outcomes[target.name]
    if outcome.fingerprint is None:
        return Identity(target, outcome)
    fits = {
        of.heads
        for other in _kin(target, everybody, outcomes)
        if (of := outcomes[other.name]).fingerprint == outcome.fingerprint and of.heads
    }
    return Identity(target, outcome, tuple(sorted(fits)), "siblings" if fits else "")


def _kin(
    target: Target, everybody: Sequence[Target], outcomes: Mapping[str, Outcome]
) -> Iterator[Target]:
    """Yield the others of its database on servers of its kind."""
    server = outcomes[target.name].server_version.partition(" ")[0]
    for other in everybody:
        same = outcomes[other.name].server_version.partition(" ")[0] == server
        if same and other.database == target.database and other.name != target.name:
            yield other


def _by_history(
    crew: Crew,
    survey: Survey,
    targets: Sequence[Target],
    everybody: Sequence[Target],
    outcomes: Mapping[str, Outcome],
) -> dict[str, Identity]:
    """Compare with the history of each database, walked once for each kind of place."""
    groups: dict[tuple[str, str, bool], list[Target]] = {}
    for target in targets:
        location = survey.places[target.name].location
        groups.setdefault((target.database, location.backend, bool(location.schema)), []).append(
            target
        )
    found: dict[str, Identity] = {}
    for group in groups.values():
        first = {outcomes[target.name].fingerprint: target for target in reversed(group)}
        held = survey.things([target.name for target in first.values()])
        stands, note = walked_history(crew, survey, group[0], held[group[0].name])
        for target in group:
            own = held[first[outcomes[target.name].fingerprint].name]
            outcome = outcomes[target.name]
            if isinstance(own, Exception):
                found[target.name] = Identity(target, outcome, note=str(own))
                continue
            others = _stands_of(survey, target, everybody, outcomes)
            found[target.name] = replace(_compared(target, outcome, own, stands, others), note=note)
    return found


def _stands_of(
    survey: Survey,
    target: Target,
    everybody: Sequence[Target],
    outcomes: Mapping[str, Outcome],
) -> list[Stand]:
    """Return the schemas of its siblings, one for each class."""
    classes = {
        (outcomes[other.name].heads, outcomes[other.name].fingerprint): other.name
        for other in _kin(target, everybody, outcomes)
        if outcomes[other.name].heads and outcomes[other.name].fingerprint is not None
    }
    held = survey.things(list(classes.values()))
    return [
        Stand(heads, "siblings", things)
        for (heads, _), name in classes.items()
        if not isinstance(things := held[name], Exception)
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
