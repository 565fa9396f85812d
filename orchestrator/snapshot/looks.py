"""How targets are looked at: by this machine itself, or by workers that are near them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from orchestrator.config.redaction import Redactor
from orchestrator.dialects import Fault
from orchestrator.dialects.faults import message_of
from orchestrator.dispatch.asking import ask
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection import fleet, querying, rights
from orchestrator.inspection.querying import Query
from orchestrator.inspection.reading import Reading, Source
from orchestrator.inspection.rights import Probe, redacted
from orchestrator.inspection.subject import Subject
from orchestrator.rollout.limits import creates
from orchestrator.rollout.outcomes import Outcome
from orchestrator.worker.jobs import Verb

Tables = Mapping[str, tuple[Target, VersionTable]]
"""Targets by name, each with its version table."""
_AT_ONCE = 250
"""Targets of one job: so often is told how far it is."""
_SCHEMAS_AT_ONCE = 10


class Looks(Protocol):
    """Reads targets. Whatever it returns holds no secret."""

    def read(self, tables: Tables, *, schemas: bool) -> Iterator[Reading]:
        """Begin to read, and return an iterator of a reading of each target as it comes.

        ``schemas``: with fingerprints. Once Ctrl-C was pressed nothing more is begun, and what was
        not begun has no reading; once it was pressed twice nothing is waited for either.
        """

    def things(self, tables: Tables) -> dict[str, tuple[Thing, ...] | Exception]:
        """Return everything in the schema of each target, or why it can't be read."""

    def mismatches(self, targets: Sequence[Target], query: Query) -> dict[str, str]:
        """Return of each target why it does not answer as expected; empty where it does."""

    def probes(self, tables: Tables) -> dict[str, Probe]:
        """Return of each target whether its server answers, and which rights its user has."""

    def redact(self, text: str) -> str:
        """Hide the secrets that it has met."""


def looks(workers: Workers) -> Looks:
    """Return how the targets of a project are looked at."""
    return LooksOfWorkers(workers) if workers.are_elsewhere else OwnLooks(workers)


@dataclass(slots=True)
class OwnLooks:
    """Connects to the servers from here."""

    workers: Workers
    _passwords: set[str] = field(default_factory=set)

    def read(self, tables: Tables, *, schemas: bool) -> Iterator[Reading]:
        """Begin to read."""
        readings = fleet.read(
            self._sources(tables),
            schemas=schemas,
            stopped=lambda: self.workers.interrupted,
            abandoned=lambda: self.workers.interrupts.presses > 1,
        )
        return map(self._redacted, readings)

    def things(self, tables: Tables) -> dict[str, tuple[Thing, ...] | Exception]:
        """Return everything in the schema of each target, or why it can't be read."""
        found = fleet.things(self._sources(tables))
        return {
            name: Exception(self.redact(message_of(is_))) if isinstance(is_, Exception) else is_
            for name, is_ in found.items()
        }

    def mismatches(self, targets: Sequence[Target], query: Query) -> dict[str, str]:
        """Return of each target why it does not answer as expected; empty where it does."""
        found = querying.mismatches(query, self._sources(_without_tables(targets)))
        return {of.target: self.redact(of.text) for of in found}

    def probes(self, tables: Tables) -> dict[str, Probe]:
        """Return of each target whether its server answers, and which rights its user has."""
        config = self.workers.file.config
        creating = [creates(config, t.environment, t.database) for t, _ in tables.values()]
        found = rights.probes(list(zip(self._sources(tables), creating, strict=True)))
        return {probe.target: redacted(probe, self.redact) for probe in found}

    def redact(self, text: str) -> str:
        """Hide secrets, and passwords of URLs that are one."""
        return Redactor(self.workers.secrets.values | self._passwords)(text)

    def _sources(self, tables: Tables) -> list[Source]:
        config, found = self.workers.file.config, []
        for target, table in tables.values():
            location = target.address.resolve(self.workers.secrets.value)
            if location.password is not None:
                self._passwords.add(location.password)
            found.append(Subject.of(target, table).source(config, location))
        return found

    def _redacted(self, reading: Reading) -> Reading:
        if reading.failure is None:
            return reading
        message = self.redact(reading.failure.message)
        return replace(reading, failure=replace(reading.failure, message=message))


@dataclass(slots=True)
class LooksOfWorkers:
    """Asks workers of the targets' places, which alone may reach them, and know their secrets."""

    workers: Workers

    def read(self, tables: Tables, *, schemas: bool) -> Iterator[Reading]:
        """Begin to read."""
        answers = ask(self.workers, Verb.READ, _subjects(tables), at_once=_AT_ONCE, schemas=schemas)
        return (reading for of, answer in answers for reading in _readings(of, answer))

    def things(self, tables: Tables) -> dict[str, tuple[Thing, ...] | Exception]:
        """Return everything in the schema of each target, or why it can't be read."""
        found: dict[str, tuple[Thing, ...] | Exception] = {}
        subjects = _subjects(tables)
        for of, answer in ask(self.workers, Verb.THINGS, subjects, at_once=_SCHEMAS_AT_ONCE):
            why = "interrupted" if answer.failure is None else answer.failure.message
            found |= {subject.target: Exception(why) for subject in of}
            for held in answer.data or ():
                found[held.target] = (
                    held.things if held.failure is None else Exception(held.failure)
                )
        return found

    def mismatches(self, targets: Sequence[Target], query: Query) -> dict[str, str]:
        """Return of each target why it does not answer as expected; empty where it does."""
        found: dict[str, str] = {}
        subjects = _subjects(_without_tables(targets))
        for of, answer in ask(self.workers, Verb.QUERY, subjects, at_once=_AT_ONCE, query=query):
            why = "interrupted" if answer.failure is None else answer.failure.message
            found |= {subject.target: f"{subject.target}: {why}" for subject in of}
            found |= {mismatch.target: mismatch.text for mismatch in answer.data or ()}
        return found

    def probes(self, tables: Tables) -> dict[str, Probe]:
        """Return of each target whether its server answers, and which rights its user has."""
        found: dict[str, Probe] = {}
        subjects = _subjects(tables)
        for of, answer in ask(self.workers, Verb.PROBE, subjects, at_once=_AT_ONCE):
            why = "interrupted" if answer.failure is None else answer.failure.message
            found |= {subject.target: Probe(subject.target, failure=why) for subject in of}
            found |= {probe.target: probe for probe in answer.data or ()}
        return found

    def redact(self, text: str) -> str:
        """Hide secrets: those of targets are never here."""
        return Redactor(self.workers.secrets.values)(text)


def _without_tables(targets: Sequence[Target]) -> Tables:
    return {target.name: (target, VersionTable()) for target in targets}


def _subjects(tables: Tables) -> list[tuple[Target, Subject]]:
    return [(target, Subject.of(target, table)) for target, table in tables.values()]


def _readings(of: Sequence[Subject], answer: Outcome) -> Iterator[Reading]:
    """Return the readings of an answer. Of one that never came there are none."""
    if answer.data is not None:
        yield from answer.data
    elif answer.failure is not None:
        for subject in of:
            yield Reading(subject.target, failure=answer.failure, fault=Fault.UNREACHABLE)
