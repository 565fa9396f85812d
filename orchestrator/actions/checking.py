"""``check``: one comparison for each schema class, given to all of its members."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.arguments import place, x_of_class
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.worker.jobs import Verb

_COMPARED = frozenset({State.IN_SYNC, State.DIFFERS})


@dataclass(frozen=True, slots=True)
class Class:
    """Targets that Alembic sees no difference between, and where they stand."""

    members: tuple[Target, ...]
    heads: tuple[str, ...]
    failure: str | None = None
    """What a member failed with that was compared before these."""


def check_by_class(
    workers: Workers, snapshot: SnapshotReader, targets: Sequence[Target], observer: Observer
) -> dict[str, Outcome]:
    """Return what ``check`` says of each target.

    A target that is not at head is ``BEHIND`` and compared with nothing.
    """
    observer.begin("reading", targets)
    standing = snapshot.outcomes(targets, observer)
    found = {name: _uncompared(outcome) for name, outcome in standing.items()}
    to_compare = [
        target
        for target in targets
        # Scripts that can't be loaded are an error that a worker tells best.
        if _is_comparable(standing[target.name])
        or (target.database in snapshot.unloaded and standing[target.name].fingerprint)
    ]
    found |= _compared(
        workers, _classes(workers, to_compare, standing), observer, snapshot.warnings
    )
    return {
        name: replace(
            outcome,
            fingerprint=standing[name].fingerprint,
            server_version=standing[name].server_version,
        )
        for name, outcome in found.items()
    }


def _is_comparable(standing: Outcome) -> bool:
    """At head; or empty where there is no revision at all."""
    at_base = standing.state is State.EMPTY and not standing.revisions
    return standing.state is State.CURRENT or at_base


def _uncompared(standing: Outcome) -> Outcome:
    behind = standing.state is State.EMPTY and standing.revisions
    return replace(standing, state=State.BEHIND) if behind else standing


def _classes(
    workers: Workers, targets: Iterable[Target], standing: Mapping[str, Outcome]
) -> list[Class]:
    """Group targets. One whose schema was not read is a class of its own."""
    config = workers.file.config
    classes: dict[object, list[Target]] = {}
    for target in targets:
        outcome = standing[target.name]
        # Machines may differ in what they have installed, and in what is set there.
        where = (target.environment, place(config, target)) if workers.are_elsewhere else None
        alone = target.name if outcome.fingerprint is None else None
        key = (
            target.database,
            target.address.backend,
            outcome.server_version,
            outcome.heads,
            outcome.fingerprint,
            x_of_class(config, target),
            where,
            alone,
        )
        classes.setdefault(key, []).append(target)
    return [Class(tuple(m), standing[m[0].name].heads) for m in classes.values()]


def _compared(
    workers: Workers, classes: Sequence[Class], observer: Observer, warnings: list[str]
) -> dict[str, Outcome]:
    """Compare one member of each class, and further ones where its result is its own alone."""
    found: dict[str, Outcome] = {}
    reasons: dict[str, str] = {}
    todo = deque(classes)
    while todo and not workers.interrupted:
        first = [of.members[0] for of in todo]
        observer.begin("check", first)
        outcomes = workers.run(Verb.CHECK, first, observer)
        left: list[Class] = []
        for of in todo:
            member, *others = of.members
            outcome = found[member.name] = outcomes[member.name]
            if outcome.state is State.NOT_STARTED:
                continue
            if outcome.data and others:
                reasons.setdefault(member.database, outcome.data)
            if _is_of_class(outcome, of):
                found |= {t.name: _given(outcome, t) for t in others}
            else:
                left += _left(outcome, of, others)
        todo = deque(left)
    warnings += (
        f"each target of {database} is compared by itself: {reason}"
        for database, reason in reasons.items()
    )
    members = (member for of in classes for member in of.members)
    return found | {
        m.name: Outcome(m.name, State.NOT_STARTED) for m in members if m.name not in found
    }


def _is_of_class(outcome: Outcome, of: Class) -> bool:
    """Whether what became of one member would become of all.

    Not where it could not be reached, or was migrated meanwhile. That it failed is of the class
    where another member failed alike.
    """
    if outcome.state in _COMPARED:
        return outcome.heads == of.heads and not outcome.data
    message = outcome.failure.message if outcome.failure else None
    return outcome.state is State.FAILED and message is not None and message == of.failure


def _given(outcome: Outcome, target: Target) -> Outcome:
    """Return a member's result as that of another one, without what was the member's own."""
    return replace(outcome, target=target.name, output="", attempts=0, seconds=0.0)


def _left(outcome: Outcome, of: Class, others: Sequence[Target]) -> list[Class]:
    """Return what is to be compared next, where a result was the member's own."""
    failed = outcome.state is State.FAILED and outcome.failure is not None
    if outcome.data or (failed and of.failure is not None):
        # env.py compares what is not the target's own, or fails for each in its own way.
        return [Class((other,), of.heads) for other in others]
    message = outcome.failure.message if failed and outcome.failure else of.failure
    return [Class(tuple(others), of.heads, message)] if others else []
