"""Where every target stands, read server by server; workers only tell what the scripts say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.config.redaction import Redactor
from orchestrator.dialects import Fault, Timeouts
from orchestrator.dialects.faults import NO_ACCESS, words
from orchestrator.dispatch.observer import Observer, Silent
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import UsageError
from orchestrator.fleet.arguments import XOfClass, x_of_class
from orchestrator.fleet.collisions import version_table_of
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import NOT_OWN_STEP, VersionTable
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Place, Reading
from orchestrator.rollout.limits import creates, limits
from orchestrator.rollout.outcomes import (
    UNKNOWN_REVISION_STEP,
    Failure,
    Outcome,
    State,
    inconsistent,
    past,
)
from orchestrator.rollout.revisions import Revisions
from orchestrator.snapshot.version_tables import written_version_table
from orchestrator.worker.jobs import Verb

Group = tuple[str, str, XOfClass]
"""An environment, a database, arguments: what one ``env.py`` is run with."""


_TRIES = 3
"""How many targets are tried until ``env.py`` could be asked where its versions are."""


@dataclass(slots=True)
class SnapshotReader:
    """Reads the state of targets, and of their schemas where that is asked for.

    No worker is started for a target, but where only ``env.py`` can tell where its heads are.
    """

    workers: Workers
    schemas: bool = False
    asks: bool = True
    """Whether ``env.py`` may be run where only it can tell where heads are. It is not under the
    target's lock; without it, such targets look empty, or are ``NOT_STARTED``."""
    warnings: list[str] = field(default_factory=list)
    """What is to be said of scripts that could only be read, not loaded."""
    places: dict[str, Place] = field(default_factory=dict)
    """Where every target is that was looked at."""
    versioned: set[str] = field(default_factory=set)
    """Targets that have a version table, be it an empty one."""
    _revisions: dict[str, Revisions | Failure] = field(default_factory=dict)
    _tables: dict[Group, VersionTable] = field(default_factory=dict)
    _awaited: set[str] = field(default_factory=set)
    """Databases whose revisions a worker is about to tell."""
    _unasked: dict[Group, Failure] = field(default_factory=dict)
    """Why ``env.py`` could not be asked for its version table."""
    _unredacted: list[str] = field(default_factory=list)
    """Warnings that are said once all passwords are known that they may hold."""
    unloaded: set[str] = field(default_factory=set)
    """Databases whose scripts could only be read."""
    _passwords: set[str] = field(default_factory=set)
    _folded: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Whose database it is, by server, name in lower case, where the server takes it so, and
    version table."""

    def again(self) -> "SnapshotReader":
        """Return one that knows the scripts, and nothing of where targets stood."""
        fresh = SnapshotReader(self.workers, self.schemas, self.asks, self.warnings)
        fresh._revisions, fresh.unloaded = self._revisions, self.unloaded
        return fresh

    def outcomes(self, targets: Sequence[Target], observer: Observer) -> dict[str, Outcome]:
        """Return an outcome of each target, as of ``status``."""
        found: dict[str, Outcome] = {}
        doubtful: dict[tuple[Group, tuple[str, ...]], list[tuple[Target, Reading]]] = {}
        for target, reading in self._readings(targets, self._unsure(targets)):
            if self.asks and self._is_doubtful(target, reading):
                key = (self._group(target), reading.heads)
                doubtful.setdefault(key, []).append((target, reading))
            else:
                found[target.name] = self._outcome(target, reading)
                observer.finished(target, found[target.name])
        for read in doubtful.values():
            settled = self._settled(read)
            found |= settled
            for target, _ in read:
                observer.finished(target, settled[target.name])
        for target in targets:
            if target.name not in found:
                found[target.name] = Outcome(target.name, State.NOT_STARTED)
                observer.finished(target, found[target.name])
        return found

    @property
    def histories(self) -> dict[str, Revisions]:
        """The revisions of each database that could be read so far."""
        return {name: is_ for name, is_ in self._revisions.items() if isinstance(is_, Revisions)}

    def learn(self, databases: Iterable[str]) -> None:
        """Let workers tell the revisions of databases, and wait for it."""
        self._awaited = {database for database in databases if database not in self._revisions}
        self.workers.begin(Verb.REVISIONS, sorted(self._awaited))
        self._know_revisions(wait=True)

    def fingerprints(self, names: Sequence[str]) -> dict[str, str]:
        """Return the fingerprints of targets that were looked at, as far as they can be read."""
        readings = fleet.read([self.places[name] for name in names], schemas=True)
        return {
            reading.target: reading.fingerprint
            for reading in readings
            if reading.fingerprint is not None
        }

    def things(self, names: Sequence[str]) -> dict[str, tuple[Thing, ...] | Exception]:
        """Return everything in the schemas of targets that were looked at, or why it can't be."""
        found = fleet.things([self.places[name] for name in names])
        return {
            name: Exception(self._redact(words(is_))) if isinstance(is_, Exception) else is_
            for name, is_ in found.items()
        }

    def at_head(self, targets: Sequence[Target]) -> dict[str, Outcome]:
        """Return those targets that surely have nothing pending. Runs no ``env.py``."""
        unsure = self._unsure(targets)
        sure = [target for target in targets if self._group(target) not in unsure]
        return {
            target.name: outcome
            for target, reading in self._readings(sure, set())
            if not self._is_doubtful(target, reading)
            if (outcome := self._outcome(target, reading)).state is State.CURRENT
            if self._may_be_skipped(target, reading)
        }

    def confirmed(self, targets: Sequence[Target]) -> list[Target]:
        """Return those targets whose ``env.py`` keeps its versions where we read them.

        It is run for one of each group: what it imports may say another place than its text, and an
        old version table be left at the place where we looked.
        """
        groups: dict[Group, list[Target]] = {}
        for target in targets:
            groups.setdefault(self._group(target), []).append(target)
        asked = [of[0] for of in groups.values()]
        outcomes = self.workers.run(Verb.STATUS, asked, Silent(), learn=True) if asked else {}
        return [
            target
            for group, of in groups.items()
            if outcomes[of[0].name].data == self._tables[group]
            if outcomes[of[0].name].state is State.CURRENT
            for target in of
        ]

    def _may_be_skipped(self, target: Target, reading: Reading) -> bool:
        """Not where Alembic itself would object: to the scripts, or to heads one below another."""
        revisions = self._revisions[target.database]
        overlap = isinstance(revisions, Revisions) and revisions.overlap(reading.heads)
        return target.database not in self.unloaded and not overlap

    def _begin(self, targets: Sequence[Target]) -> None:
        """Let workers load the scripts while we read."""
        databases = dict.fromkeys(target.database for target in targets)
        self._awaited = {database for database in databases if database not in self._revisions}
        self.workers.begin(Verb.REVISIONS, sorted(self._awaited))

    def _group(self, target: Target) -> Group:
        arguments = x_of_class(self.workers.file.config, target)
        return target.environment, target.database, arguments

    def _unsure(self, targets: Sequence[Target]) -> set[Group]:
        """Return what has a version table that is written down nowhere."""
        file = self.workers.file
        groups = dict.fromkeys(map(self._group, targets))
        for group in groups:
            if group not in self._tables:
                table = written_version_table(file.config.databases[group[1]], file.folder)
                if table is not None:
                    self._tables[group] = table
        return {group for group in groups if group not in self._tables}

    def _readings(
        self, targets: Sequence[Target], unsure: set[Group]
    ) -> Iterator[tuple[Target, Reading]]:
        """Yield readings once it is known which revisions there are."""
        of = {target.name: target for target in targets}
        waiting: list[Reading] = []
        reading_now = self._read([t for t in targets if self._group(t) not in unsure])
        self._begin(targets)  # it takes a while, and the servers are at work meanwhile
        for reading in reading_now:
            waiting.append(reading)
            if self._know_revisions(wait=False):
                yield from ((of[r.target], r) for r in waiting)
                waiting.clear()
        self._know_revisions(wait=True)
        yield from ((of[r.target], r) for r in waiting)
        for warning in self._unredacted:
            self.warnings.append(self._redact(warning))
        self._unredacted.clear()
        if not self.asks:
            return
        later = [target for target in targets if self._group(target) in unsure]
        for group in unsure:
            self._tables[group] = self._asked([t for t in later if self._group(t) == group])
        yield from ((of[reading.target], reading) for reading in self._read(later))

    def _read(self, targets: Sequence[Target]) -> Iterator[Reading]:
        self.places.update((target.name, self._place(target)) for target in targets)
        readings = fleet.read(
            [self.places[target.name] for target in targets],
            schemas=self.schemas,
            stopped=lambda: self.workers.interrupted,
            abandoned=lambda: self.workers.interrupts.presses > 1,
        )
        return self._apart(readings, {target.name: target for target in targets})

    def _apart(
        self, readings: Iterable[Reading], targets: Mapping[str, Target]
    ) -> Iterator[Reading]:
        """Raise ``UsageError`` where only the server can tell that two targets are one database."""
        for reading in readings:
            database = self.places[reading.target].location.database or ""
            if reading.folds and reading.failure is None:
                target = targets[reading.target]
                table = version_table_of(self.workers.file.config, target)
                key = (target.server, database.lower(), table)
                first = self._folded.setdefault(key, reading.target)
                if first != reading.target:
                    other = self.places[first].location.database
                    one, two = sorted((f"{first} ({other})", f"{reading.target} ({database})"))
                    raise UsageError(
                        f"{one} and {two} are one database: {key[0]} makes no difference between "
                        "upper and lower case (lower_case_table_names)\n"
                        "  leave one of them out, or put another label into the url"
                    )
            yield reading

    def _place(self, target: Target) -> Place:
        location = target.address.resolve(self.workers.secrets.value)
        if location.password is not None:
            self._passwords.add(location.password)
        config = self.workers.file.config
        settings = limits(config, target.environment, target.database)
        timeouts = Timeouts(settings.lock_timeout, settings.statement_timeout)
        table = self._tables[self._group(target)]
        grants = config.databases[target.database].drift.grants
        return Place(target.name, location, table, timeouts, settings.max_per_server, grants)

    def _know_revisions(self, *, wait: bool) -> bool:
        """Take what workers found out about the scripts, and tell whether that is all."""
        if not self._awaited:  # what the workers do now is no business of ours
            return True
        for database, outcome in self.workers.collected(wait=wait).items():
            self._awaited.discard(database)
            if outcome.failure is not None or outcome.data is None:
                self._revisions[database] = outcome.failure or Failure("its scripts can't be read")
                continue
            revisions, warning = outcome.data
            self._revisions[database] = Revisions(revisions, outcome.heads)
            if warning is not None:
                self.unloaded.add(database)
                self._unredacted.append(f"the scripts of {database} can't be loaded: {warning}")
        return not self._awaited

    def _asked(self, targets: Sequence[Target]) -> VersionTable:
        """Let ``env.py`` tell where its versions are, for one target in place of all."""
        for target in targets[:_TRIES]:
            outcome = self._by_env_py([target])[target.name]
            if outcome.data is not None:
                self._unasked.pop(self._group(target), None)
                return outcome.data  # type: ignore[no-any-return]  # a version table, of status
            if outcome.failure is not None:
                self._unasked[self._group(target)] = outcome.failure
        return VersionTable()

    def _by_env_py(self, targets: Sequence[Target]) -> dict[str, Outcome]:
        return self.workers.run(Verb.STATUS, targets, Silent())

    def _is_doubtful(self, target: Target, reading: Reading) -> bool:
        """Whether the heads may be elsewhere than where we looked."""
        settings = self.workers.file.config.databases[target.database]
        if settings.version_table is not None or reading.failure is not None:
            return False
        revisions = self._revisions.get(target.database)
        if not isinstance(revisions, Revisions):
            return False
        return not reading.has_version_table or bool(revisions.unknown(reading.heads))

    def _settled(self, read: Sequence[tuple[Target, Reading]]) -> dict[str, Outcome]:
        """Return the outcomes of targets of one ``env.py`` that have no heads, or the same.

        One is asked of ``env.py``; only where it finds what we did not, all are.
        """
        first, reading = read[0]
        group = self._group(first)
        failure = self._unasked.get(group)
        if failure is not None:
            # Its schema is of no use to anybody while nobody knows its heads.
            return {
                r.target: Outcome(r.target, State.FAILED, failure=failure, server_version=r.server)
                for _, r in read
            }
        outcome = self._by_env_py([first])[first.name]
        if outcome.data is None:  # it can't run
            return {target.name: self._outcome(target, r) for target, r in read}
        if outcome.data == self._tables[group] and outcome.heads == reading.heads:
            # Alembic may know an abbreviated revision that we don't.
            known = outcome.state is not State.UNKNOWN_REVISION and bool(reading.heads)
            return {
                target.name: _seen(outcome, r) if known else self._outcome(target, r)
                for target, r in read
            }
        found = {first.name: outcome} | self._by_env_py([target for target, _ in read[1:]])
        return {r.target: _seen(found[r.target], r) for _, r in read}

    def _outcome(self, target: Target, reading: Reading) -> Outcome:
        revisions = self._revisions.get(target.database)
        heads = reading.heads
        if reading.has_version_table and reading.failure is None:
            self.versioned.add(target.name)
        seen = Outcome(
            target.name,
            State.FAILED,
            heads,
            heads,
            fingerprint=reading.fingerprint,
            server_version=reading.server,
            invalid_indexes=reading.invalid,
        )
        if reading.fault is Fault.MISSING and self._creates(target):
            pending = revisions.pending(()) if isinstance(revisions, Revisions) else ()
            return replace(seen, state=State.EMPTY, revisions=pending)
        if reading.failure is not None:
            state = State.UNREACHABLE if reading.fault in NO_ACCESS else State.FAILED
            return replace(seen, state=state, failure=self._redacted(reading.failure))
        if failure := self._not_own(target):
            return replace(seen, failure=failure, fingerprint=None)
        if not isinstance(revisions, Revisions):
            return replace(seen, failure=revisions)
        if unknown := revisions.unknown(heads):
            message = f"the database is at revision '{unknown[0]}', which the scripts don't have"
            failure = Failure(message, UNKNOWN_REVISION_STEP)
            return replace(seen, state=State.UNKNOWN_REVISION, failure=failure)
        if revisions.overlap(heads):
            failure = inconsistent(target.name, heads, revisions.tops(heads))
            return replace(seen, state=State.INCONSISTENT, failure=failure)
        if passed := revisions.passed(heads):
            failure = past(target.name, heads, ", ".join(passed))
            return replace(seen, failure=failure)
        pending = revisions.pending(heads)
        state = (State.BEHIND if pending else State.CURRENT) if heads else State.EMPTY
        return replace(seen, state=state, revisions=pending)

    def _creates(self, target: Target) -> bool:
        config = self.workers.file.config
        return creates(config, target.environment, target.database)

    def _not_own(self, target: Target) -> Failure | None:
        place = self.places[target.name]
        location = place.location
        own = location.schema if location.backend == "postgresql" else location.database
        message = None if location.backend == "sqlite" else place.version_table.not_own(own)
        return Failure(message, NOT_OWN_STEP) if message else None

    def _redacted(self, failure: Failure) -> Failure:
        return replace(failure, message=self._redact(failure.message))

    def _redact(self, text: str) -> str:
        return Redactor(self.workers.secrets.values | self._passwords)(text)


def _seen(outcome: Outcome, reading: Reading) -> Outcome:
    """Return what a worker found of a target, or of one like it, with what we read of it."""
    return replace(
        outcome,
        target=reading.target,
        fingerprint=reading.fingerprint,
        server_version=reading.server,
    )
