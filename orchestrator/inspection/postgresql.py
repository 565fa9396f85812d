"""Reads schemas of one PostgreSQL database, or that database whole, through one connection."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from orchestrator.dialects import Fault, Timeouts, dialect_of, postgresql_schema
from orchestrator.dialects.drivers import OF_LIBPQ
from orchestrator.dialects.faults import NEXT_STEP
from orchestrator.fleet.schema import Details, Thing
from orchestrator.inspection.connecting import Rows, connected, limited, rows, run
from orchestrator.inspection.reading import (
    Reading,
    Source,
    batches,
    fingerprint_of,
    nowhere,
    standing,
    unread,
)
from orchestrator.rollout.outcomes import Failure

T = TypeVar("T")

_TABLES_PER_UNION = 250
_SCHEMAS_PER_LOOK = 250
_TRAITS = ("search path", "encoding", "collation", "character type")
_SETTINGS = ("date style", "interval style", "time zone", "quote all identifiers")
_BROKEN = frozenset({Fault.LOST, Fault.UNREACHABLE, Fault.CONNECTIONS})


def read(sources: Sequence[Source], *, schemas: bool) -> Iterator[Reading]:
    """Yield a reading of each source: schemas of one database, or one database.

    A source without a schema is its whole database: ``env.py`` may compare all of its schemas.
    Raises what the driver raises when the connection can't be made or breaks.
    """
    with connected(sources[0].location, sources[0].timeouts) as connection:
        session = _Session(connection, sources[0].timeouts)
        invalid = session.rows(postgresql_schema.INVALID_INDEXES)
        for batch in batches(sources, _TABLES_PER_UNION):
            own = {source.target: source.location.schema for source in batch}
            standing = [
                replace(reading, invalid=_named_indexes(invalid, own[reading.target], session.own))
                for reading in _heads(session, batch)
            ]
            if not schemas:
                yield from standing
                continue
            of = {source.target: source for source in batch}
            for some in batches(standing, _SCHEMAS_PER_LOOK):
                yield from _fingerprints(session, [(of[r.target], r) for r in some])


def _named_indexes(
    invalid: Rows, schema: str | None, session_schema: str | None
) -> tuple[str, ...]:
    """Return those of a schema; without one, all, as one would have to write them."""
    if schema is not None:
        return tuple(name for of, name in invalid if of == schema)
    return tuple(name if of == session_schema else f"{of}.{name}" for of, name in invalid)


def things(sources: Sequence[Source]) -> Iterator[tuple[str, tuple[Thing, ...]]]:
    """Yield everything in each source. Raises what the driver raises."""
    with connected(sources[0].location, sources[0].timeouts) as connection:
        session = _Session(connection, sources[0].timeouts)
        for source in sources:
            schemas = session.schemas_of(source)
            facts = session.rows(postgresql_schema.facts_sql(session.asked(schemas, [source])))
            own = source.location.schema or session.own
            found = [
                thing
                for schema, fact in facts
                for thing in postgresql_schema.things(schema, [fact], is_own=schema == own)
            ]
            found.append(Thing("session", "", "", session.settings))
            if source.location.schema is None:
                found.append(Thing("database", "", "", session.traits))
                found += [Thing("schema", "", name, ()) for name in schemas if name != own]
            yield source.target, tuple(found)


class _Session:
    """Asks in transactions of their own, in which every name is written in full.

    Each is one round trip where the driver can send several statements at once: the server makes
    one transaction of them.
    """

    def __init__(self, connection: Any, timeouts: Timeouts) -> None:
        self._connection = connection
        self._limits = postgresql_schema.settings(limited(timeouts))
        self._at_once = type(connection).__module__.partition(".")[0] in OF_LIBPQ
        if self._at_once:
            connection.autocommit = True
        *answer, version_number = rows(connection, postgresql_schema.SESSION)[0]
        self._version = int(version_number)
        own, path, version, *locale = answer[: len(_TRAITS) + 2]
        self.own: str | None = own
        """Where unqualified names lead."""
        self.server = f"PostgreSQL {str(version).split(' ')[0]}"
        self.traits = _named(_TRAITS, (path, *locale))
        """Of the database."""
        self.settings = _named(_SETTINGS, answer[len(_TRAITS) + 2 :])
        """By which the server reads and writes the text of a default."""
        if not self._at_once:
            connection.commit()

    def rows(self, sql: str) -> Rows:
        """Return the rows of a query, and hold no lock after it."""
        if self._at_once:
            return rows(self._connection, "; ".join([*self._limits, sql]))
        try:
            for setting in self._limits:
                run(self._connection, setting)
            found = rows(self._connection, sql)
        except Exception:
            self._connection.rollback()
            raise
        self._connection.commit()
        return found

    def schemas_of(self, source: Source) -> list[str]:
        """Return the schemas that belong to a source."""
        if source.location.schema is not None:
            return [source.location.schema]
        return [row[0] for row in self.rows(postgresql_schema.OWN_SCHEMAS)]

    def asked(self, schemas: Sequence[str], sources: Sequence[Source]) -> postgresql_schema.Asked:
        """Return what is to be told of schemas that belong to some sources."""
        without = [".".join(self.table(source)) for source in sources]
        return postgresql_schema.Asked(schemas, without, self._version, sources[0].grants)

    def table(self, source: Source) -> tuple[str, str]:
        """Return the schema and the name of a source's version table."""
        table = source.version_table
        return table.schema or source.location.schema or self.own or "", table.name


def _named(names: Sequence[str], values: Sequence[Any]) -> Details:
    return tuple(zip(names, map(str, values), strict=True))


def _heads(session: _Session, sources: Sequence[Source]) -> Iterator[Reading]:
    there = []
    asked = session.rows(postgresql_schema.version_tables_sql([session.table(p) for p in sources]))
    missing = _missing_schemas(session, sources)
    for number, _, has_table, may_read in asked:
        source = sources[number - 1]
        if source.location.schema in missing:
            yield nowhere(source)
        elif not has_table:
            yield Reading(source.target, has_version_table=False, server=session.server)
        elif not may_read:
            yield _no_right(source, ".".join(session.table(source)))
        else:
            there.append(source)
    yield from _halved(session, there, _with_heads, lambda source: source)


def _missing_schemas(session: _Session, sources: Sequence[Source]) -> set[str]:
    wanted = {name for source in sources if (name := source.location.schema) is not None}
    if not wanted:
        return wanted
    return wanted - {row[0] for row in session.rows(postgresql_schema.OWN_SCHEMAS)}


def _with_heads(session: _Session, sources: Sequence[Source]) -> list[Reading]:
    found: list[list[str | None]] = [[] for _ in sources]
    tables = [session.table(source) for source in sources]
    for at, head in session.rows(postgresql_schema.heads_sql(tables)):
        found[at].append(head)
    return [
        standing(source, heads, session.server)
        for source, heads in zip(sources, found, strict=True)
    ]


def _no_right(source: Source, table: str) -> Reading:
    failure = Failure(f"permission denied for {table}", NEXT_STEP[Fault.DENIED])
    return Reading(source.target, failure=failure, fault=Fault.REFUSED)


def _fingerprints(session: _Session, read: Sequence[tuple[Source, Reading]]) -> Iterator[Reading]:
    yield from (reading for _, reading in read if reading.failure is not None)
    readable = [(source, reading) for source, reading in read if reading.failure is None]
    if readable:
        yield from _halved(session, readable, _with_fingerprints, lambda pair: pair[0])


def _with_fingerprints(session: _Session, read: Sequence[tuple[Source, Reading]]) -> list[Reading]:
    sources = [source for source, _ in read]
    schemas = sorted({name for source in sources for name in session.schemas_of(source)})
    asked = session.rows(postgresql_schema.digests_sql(session.asked(schemas, sources)))
    totals = {name: postgresql_schema.total(name, sums, facts) for name, *sums, facts in asked}
    found = []
    for source, reading in read:
        if source.location.schema is None:
            named = [("" if name == session.own else name, sums) for name, sums in totals.items()]
            parts = [session.settings, session.traits, *sorted(named)]
        elif source.location.schema in totals:
            parts = [session.settings, totals[source.location.schema]]
        else:
            found.append(nowhere(source))
            continue
        found.append(replace(reading, fingerprint=fingerprint_of(parts)))
    return found


def _halved(
    session: _Session,
    items: Sequence[T],
    read: Callable[[_Session, Sequence[T]], list[Reading]],
    place_of: Callable[[T], Source],
) -> Iterator[Reading]:
    """Read all at once, or each half where something in one of them can't be read."""
    if not items:
        return
    try:
        found = read(session, items)
    except Exception as error:
        if dialect_of("postgresql").fault(error) in _BROKEN:
            raise
        if len(items) == 1:
            yield unread(place_of(items[0]), error)
            return
        middle = len(items) // 2
        yield from _halved(session, items[:middle], read, place_of)
        yield from _halved(session, items[middle:], read, place_of)
    else:
        yield from found
