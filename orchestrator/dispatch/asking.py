"""Looks at many targets of a server by one job, in the places from which they are reached."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.config.models import Config
from orchestrator.dispatch.batch import Batch
from orchestrator.dispatch.observer import NullObserver, Observer
from orchestrator.dispatch.slots import ANY_NUMBER, LOCAL_HOST, place_slot, server_slot
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.arguments import place
from orchestrator.fleet.target import Target
from orchestrator.inspection.subject import Subject
from orchestrator.rollout.outcomes import Outcome
from orchestrator.rollout.schedule import Schedule, Slot, Work
from orchestrator.worker.jobs import Verb

Pair = tuple[Target, Subject]


def ask(
    workers: Workers, verb: Verb, pairs: Iterable[Pair], *, at_once: int, **fields: Any
) -> Iterator[tuple[Sequence[Subject], Outcome]]:
    """Begin to ask, and return an iterator of what was asked about and the answer, as they come.

    A server is asked by one worker at a time, about ``at_once`` targets, since that worker opens
    as many connections as the server may get. Where no worker is there the answer is a failure;
    after Ctrl-C it is ``NOT_STARTED``.
    """
    config = workers.file.config
    groups = {group[0][0].name: group for group in _groups(config, pairs, at_once)}
    first = [group[0][0] for group in groups.values()]
    schedule = Schedule(_work(config, target) for target in first)
    dispatcher = workers.dispatcher(
        first, schedule, _OfWaiting(workers.observer), patience=config.engine.patience
    )
    subjects = {name: tuple(subject for _, subject in of) for name, of in groups.items()}
    batch = Batch(
        dispatcher,
        schedule,
        config,
        lambda target: workers.job_on(verb, target, subjects=subjects[target.name], **fields),
    )
    batch.start()
    return ((subjects[outcome.target], outcome) for outcome in batch.results())


@dataclass(frozen=True, slots=True)
class _OfWaiting(NullObserver):
    """Tells what is waited for. What becomes of targets, who asks tells."""

    observer: Observer

    def waiting(self, what: str, why: str) -> None:
        self.observer.waiting(what, why)


def _groups(config: Config, pairs: Iterable[Pair], at_once: int) -> Iterator[Sequence[Pair]]:
    """Yield what one job may ask about: of one server, in one place."""
    found: dict[Any, list[Pair]] = {}
    for target, subject in pairs:
        found.setdefault((place(config, target), target.server), []).append((target, subject))
    for of in found.values():
        for start in range(0, len(of), at_once):
            yield of[start : start + at_once]


def _work(config: Config, target: Target) -> Work:
    at = place(config, target)
    slots = [
        Slot(f"reading {target.server}", 1),
        Slot(server_slot(target), ANY_NUMBER),
        Slot(LOCAL_HOST, ANY_NUMBER),
    ]
    if at is not None:
        slots.append(Slot(place_slot(at), ANY_NUMBER))
    return Work(target.name, (), tuple(slots))
