"""What a database's schema is after each of its revisions, tried on a scratch database.

That is made beside the one that the file names, for one command, and taken away again.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from orchestrator.config.redaction import Redactor
from orchestrator.dialects import Timeouts
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.location import Location, backend_of
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.scratch import is_alike, scratch_address
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Reading, Source
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.worker.jobs import Verb, Walked

Heads = tuple[str, ...]
Things = tuple[Thing, ...]
_AS_MADE = frozenset({"session", "database"})
"""Kinds of things that a database has as it was made, whatever its history did."""
_LONGEST_NAME = 63
_TIMEOUTS = Timeouts(lock=5.0)


@dataclass(frozen=True, slots=True)
class Stand:
    """A schema that is known to be that of a revision."""

    heads: Heads
    by: str
    """``siblings`` or ``history``."""
    things: Things


def made_by_history(things: Iterable[Thing]) -> Things:
    """Return things without those that a database has as it was made."""
    return tuple(thing for thing in things if thing.kind not in _AS_MADE)


def walked_history(
    workers: Workers, snapshot: SnapshotReader, like: Target, held: Things | Exception
) -> tuple[list[Stand], str]:
    """Return the schema after each revision, for a target like ``like``, which holds ``held``.

    And why that is less than it could be, if it is. The first one is an empty database's.
    """
    history = snapshot.histories.get(like.database)
    if history is None:
        return [], "its scripts can't be read"
    reading, file = snapshot.readings[like.name], workers.file
    backend = backend_of(reading.driver)
    address = scratch_address(file.config, file.folder, like.database, backend)
    named = None if address is None else address.resolve(workers.secrets.value)
    if named is None and backend != "sqlite":
        return [], _none_named(backend)
    if named is not None and not is_alike(named.driver, reading.driver):
        return [], f"its scratch database is on {named.backend}, and it is on {backend}"
    with _walk(workers, like, named, reading, held) as walk:
        stands, note = walk.stands([revision.id for revision in history.oldest_first])
    password = {named.password} if named is not None and named.password else set[str]()
    return stands, Redactor(workers.secrets.values | password)(note)


def _none_named(backend: str) -> str:
    return (
        "no sibling is like it, and there is no scratch database to try its history on: name one, "
        f"{backend} = … in [project.scratch]"
    )


@contextmanager
def _walk(
    workers: Workers,
    like: Target,
    named: Location | None,
    reading: Reading,
    held: Things | Exception,
) -> Iterator["_Walk"]:
    backend, charset, collation = backend_of(reading.driver), None, None
    if not isinstance(held, Exception) and backend in {"mysql", "mariadb"}:
        of = dict(next((thing.details for thing in held if thing.kind == "database"), ()))
        charset, collation = of.get("character set"), of.get("collation")
    with tempfile.TemporaryDirectory() as folder:
        if named is None or named.backend == "sqlite":
            named, name = None, str(Path(folder) / "scratch.db")
        else:
            mark = f"_{uuid4().hex[:12]}"
            name = (named.database or "scratch")[: _LONGEST_NAME - len(mark)] + mark
        schema = "public" if reading.in_schema else None
        walked = Walked(name, backend, False, charset, collation)
        walk = _Walk(workers, like.database, walked, named, schema)
        try:
            yield walk
        finally:
            walk.drop()


@dataclass(slots=True)
class _Walk:
    """A history, revision by revision, on a scratch database of this command's own."""

    workers: Workers
    database: str
    walked: Walked
    scratch: Location | None
    schema: str | None
    _began: bool = False

    def stands(self, revisions: Sequence[str]) -> tuple[list[Stand], str]:
        made = self._do(replace(self.walked, begins=True), revision="base")
        if made.failure is not None:
            return [], f"no scratch database could be made: {_first(made.failure)}"
        self._began = True
        found = [Stand((), "history", ())]
        for revision in revisions:
            outcome = self._do(self.walked, revision=revision)
            if self.workers.interrupted or outcome.failure is not None:
                why = "interrupted" if outcome.failure is None else _first(outcome.failure)
                return found, f"its history could be tried up to before {revision}: {why}"
            things = self._things(outcome.data)
            if isinstance(things, Exception):
                return found, f"its scratch database can't be read: {things}"
            found.append(Stand(outcome.heads, "history", made_by_history(things)))
        return found, ""

    def drop(self) -> None:
        if self._began:
            self._do(self.walked, revision="base", drops=True)

    def _do(self, walked: Walked, *, revision: str, drops: bool = False) -> Outcome:
        self.workers.begin(
            Verb.WALK, [self.database], walked=walked, revision=revision, drops=drops
        )
        lost = Outcome(self.database, State.FAILED, failure=Failure("interrupted"))
        return self.workers.collected(wait=True).get(self.database, lost)

    def _things(self, table: VersionTable) -> Things | Exception:
        where = replace(self.walked.at(self.scratch), schema=self.schema)
        own = {self.schema, where.database}
        table = replace(table, schema=None if table.schema in own else table.schema)
        source = Source("scratch", where, table, _TIMEOUTS, 1)
        return fleet.things([source])["scratch"]


def _first(failure: Failure) -> str:
    return failure.message.partition("\n")[0]
