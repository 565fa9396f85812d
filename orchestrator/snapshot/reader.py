"""Where every target stands, read server by server; workers only tell what the scripts say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.dialects import Fault
from orchestrator.dialects.faults import NO_ACCESS
from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import UsageError
from orchestrator.fleet.collisions import version_table_of
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import NOT_OWN_STEP, VersionTable
from orchestrator.inspection.reading import Reading
from orchestrator.rollout.limits import creates
from orchestrator.rollout.outcomes import (
    UNKNOWN_REVISION_STEP,
    Failure,
    Outcome,
    State,
    inconsistent,
    past,
)
from orchestrator.rollout.revisions import Revisions
from orchestrator.snapshot.histories import Histories
from orchestrator.snapshot.looks import Looks, looks
from orchestrator.snapshot.version_tables import Group, VersionTables


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
    readings: dict[str, Reading] = field(default_factory=dict)
    """What was read last of every target."""
    versioned: set[str] = field(default_factory=set)
    """Targets that have a version table, be it an empty one."""
    scripts: Histories = field(init=False)
    tables: VersionTables = field(init=False)
    _looks: Looks = field(init=False)
    _targets: dict[str, Target] = field(default_factory=dict)
    """Those that were looked at."""
    _apart: dict[tuple[str, str], str] = field(default_factory=dict)
    """Whose history it is, by the database's identity and the version table."""

    def __post_init__(self) -> None:
        self.scripts = Histories(self.workers)
        self.tables = VersionTables(self.workers)
        self._looks = looks(self.workers)

    def again(self) -> "SnapshotReader":
        """Return one that knows the scripts, and nothing of where targets stood."""
        fresh = SnapshotReader(self.workers, self.schemas, self.asks, self.warnings)
        fresh.scripts = self.scripts
        return fresh

    def outcomes(self, targets: Sequence[Target], observer: Observer) -> dict[str, Outcome]:
        """Return an outcome of each target, as of ``status``."""
        found: dict[str, Outcome] = {}
        doubtful: dict[tuple[Group, tuple[str, ...]], list[tuple[Target, Reading]]] = {}
        for target, reading in self._readings(targets, self.tables.unsure(targets)):
            if self.asks and self._is_doubtful(target, reading):
                key = (self.tables.group(target), reading.heads)
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
        return self.scripts.known

    @property
    def unloaded(self) -> set[str]:
        """Databases whose scripts could only be read."""
        return self.scripts.unloaded

    def learn(self, databases: Iterable[str]) -> None:
        """Let workers tell the revisions of databases, and wait for it."""
        self.scripts.learn(databases)

    def fingerprints(self, names: Sequence[str]) -> dict[str, str]:
        """Return the fingerprints of targets that were looked at, as far as they can be read."""
        return {
            reading.target: reading.fingerprint
            for reading in self._looks.read(self._looked_at(names), schemas=True)
            if reading.fingerprint is not None
        }

    def things(self, names: Sequence[str]) -> dict[str, tuple[Thing, ...] | Exception]:
        """Return everything in the schemas of targets that were looked at, or why it can't be."""
        return self._looks.things(self._looked_at(names))

    def at_head(self, targets: Sequence[Target]) -> dict[str, Outcome]:
        """Return those targets that surely have nothing pending. Runs no ``env.py``."""
        unsure = self.tables.unsure(targets)
        sure = [target for target in targets if self.tables.group(target) not in unsure]
        return {
            target.name: outcome
            for target, reading in self._readings(sure, set())
            if not self._is_doubtful(target, reading)
            if (outcome := self._outcome(target, reading)).state is State.CURRENT
            if self._may_be_skipped(target, reading)
        }

    def _may_be_skipped(self, target: Target, reading: Reading) -> bool:
        """Not where Alembic itself would object: to the scripts, or to heads one below another."""
        revisions = self.scripts.of(target.database)
        overlap = isinstance(revisions, Revisions) and revisions.overlap(reading.heads)
        return target.database not in self.unloaded and not overlap

    def _readings(
        self, targets: Sequence[Target], unsure: set[Group]
    ) -> Iterator[tuple[Target, Reading]]:
        """Yield readings once it is known which revisions there are."""
        of = {target.name: target for target in targets}
        waiting: list[Reading] = []
        reading_now = self._read([t for t in targets if self.tables.group(t) not in unsure])
        # It takes a while, and the servers are at work meanwhile.
        self.scripts.begin(dict.fromkeys(target.database for target in targets))
        for reading in reading_now:
            waiting.append(reading)
            if self.scripts.collect(wait=False):
                yield from ((of[r.target], r) for r in waiting)
                waiting.clear()
        self.scripts.collect(wait=True)
        yield from ((of[r.target], r) for r in waiting)
        self.warnings += map(self._looks.redact, self.scripts.take_warnings())
        if not self.asks:
            return
        later = [target for target in targets if self.tables.group(target) in unsure]
        for group in unsure:
            self.tables.ask([t for t in later if self.tables.group(t) == group])
        yield from ((of[reading.target], reading) for reading in self._read(later))

    def _read(self, targets: Sequence[Target]) -> Iterator[Reading]:
        self._targets.update((target.name, target) for target in targets)
        tables = self._looked_at([target.name for target in targets])
        return map(self._assert_apart, self._looks.read(tables, schemas=self.schemas))

    def _looked_at(self, names: Iterable[str]) -> dict[str, tuple[Target, VersionTable]]:
        of = self._targets
        return {name: (of[name], self.tables.of(of[name])) for name in names}

    def _assert_apart(self, reading: Reading) -> Reading:
        """Raise ``UsageError`` where only who reads can tell that two targets are one database."""
        self.readings[reading.target] = reading
        if reading.identity:
            target = self._targets[reading.target]
            key = (reading.identity, version_table_of(self.workers.file.config, target))
            first = self._apart.setdefault(key, reading.target)
            if first != reading.target:
                raise UsageError(self._same(self._targets[first], target, folds=reading.folds))
        return reading

    def _same(self, first: Target, second: Target, *, folds: bool) -> str:
        one, two = sorted(f"{target.name} ({target.address})" for target in (first, second))
        why = (
            f": {second.server} makes no difference between upper and lower case "
            "(lower_case_table_names)"
        )
        return (
            f"{one} and {two} are one database{why if folds else ''}\n"
            "  leave one of them out, or put another label into the url"
        )

    def _is_doubtful(self, target: Target, reading: Reading) -> bool:
        """Whether the heads may be elsewhere than where we looked."""
        settings = self.workers.file.config.databases[target.database]
        if settings.version_table is not None or reading.failure is not None:
            return False
        revisions = self.scripts.of(target.database)
        if not isinstance(revisions, Revisions):
            return False
        return not reading.has_version_table or bool(revisions.unknown(reading.heads))

    def _settled(self, read: Sequence[tuple[Target, Reading]]) -> dict[str, Outcome]:
        """Return the outcomes of targets of one ``env.py`` that have no heads, or the same.

        One is asked of ``env.py``; only where it finds what we did not, all are.
        """
        first, reading = read[0]
        failure = self.tables.failure(first)
        if failure is not None:
            # Its schema is of no use to anybody while nobody knows its heads.
            return {
                r.target: Outcome(r.target, State.FAILED, failure=failure, server_version=r.server)
                for _, r in read
            }
        outcome = self.tables.by_env_py([first])[first.name]
        if outcome.data is None:  # it can't run
            return {target.name: self._outcome(target, r) for target, r in read}
        if outcome.data == self.tables.of(first) and outcome.heads == reading.heads:
            # Alembic may know an abbreviated revision that we don't.
            known = outcome.state is not State.UNKNOWN_REVISION and bool(reading.heads)
            return {
                target.name: _seen(outcome, r) if known else self._outcome(target, r)
                for target, r in read
            }
        found = {first.name: outcome} | self.tables.by_env_py([target for target, _ in read[1:]])
        return {r.target: _seen(found[r.target], r) for _, r in read}

    def _outcome(self, target: Target, reading: Reading) -> Outcome:
        revisions = self.scripts.of(target.database)
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
            return replace(seen, state=state, failure=reading.failure)
        if reading.not_own is not None:
            return replace(seen, failure=Failure(reading.not_own, NOT_OWN_STEP), fingerprint=None)
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


def _seen(outcome: Outcome, reading: Reading) -> Outcome:
    """Return what a worker found of a target, or of one like it, with what we read of it."""
    return replace(
        outcome,
        target=reading.target,
        fingerprint=reading.fingerprint,
        server_version=reading.server,
    )
