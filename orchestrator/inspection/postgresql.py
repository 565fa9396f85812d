"""Reads schemas of one PostgreSQL database, or that database whole, through one connection."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from orchestrator.dialects import Fault, Timeouts, dialect_of, postgresql_schema
from orchestrator.dialects.faults import NEXT_STEP
from orchestrator.fleet.schema import Details, Thing
from orchestrator.inspection.connecting import Rows, connected, limited, rows, run
from orchestrator.inspection.reading import (
    Place,
    Reading,
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


def read(places: Sequence[Place], *, schemas: bool) -> Iterator[Reading]:
    """Yield a reading of each place: schemas of one database, or one database.

    A place without a schema is its whole database: ``env.py`` may compare all of its schemas.
    Raises what the driver raises when the connection can't be made or breaks.
    """
    with connected(places[0].location, places[0].timeouts) as connection:
        session = _Session(connection, places[0].timeouts)
        invalid = session.rows(postgresql_schema.INVALID_INDEXES)
        for batch in batches(places, _TABLES_PER_UNION):
            own = {place.target: place.location.schema for place in batch}
            standing = [
                replace(reading, invalid=_named_indexes(invalid, own[reading.target], session.own))
                for reading in _heads(session, batch)
            ]
            if not schemas:
                yield from standing
                continue
            of = {place.target: place for place in batch}
            for some in batches(standing, _SCHEMAS_PER_LOOK):
                yield from _fingerprints(session, [(of[r.target], r) for r in some])


def _named_indexes(
    invalid: Rows, schema: str | None, session_schema: str | None
) -> tuple[str, ...]:
    """Return those of a schema; without one, all, as one would have to write them."""
    if schema is not None:
        return tuple(name for of, name in invalid if of == schema)
    return tuple(name if of == session_schema else f"{of}.{name}" for of, name in invalid)


def things(places: Sequence[Place]) -> Iterator[tuple[str, tuple[Thing, ...]]]:
    """Yield everything in each place. Raises what the driver raises."""
    with connected(places[0].location, places[0].timeouts) as connection:
        session = _Session(connection, places[0].timeouts)
        for place in places:
            schemas = session.schemas_of(place)
            facts = session.rows(postgresql_schema.facts_sql(session.asked(schemas, [place])))
            own = place.location.schema or session.own
            found = [
                thing
                for schema, fact in facts
                for thing in postgresql_schema.things(schema, [fact], is_own=schema == own)
            ]
            found.append(Thing("session", "", "", session.settings))
            if place.location.schema is None:
                found.append(Thing("database", "", "", session.traits))
                found += [Thing("schema", "", name, ()) for name in schemas if name != own]
            yield place.target, tuple(found)


class _Session:
    """Asks in transactions of their own, in which every name is written in full."""

    def __init__(self, connection: Any, timeouts: Timeouts) -> None:
        self._connection = connection
        self._limits = postgresql_schema.settings(limited(timeouts))
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
        connection.commit()

    def rows(self, sql: str) -> Rows:
        """Return the rows of a query, and hold no lock after it."""
        try:
            for setting in self._limits:
                run(self._connection, setting)
            found = rows(self._connection, sql)
        except Exception:
            self._connection.rollback()
            raise
        self._connection.commit()
        return found

    def schemas_of(self, place: Place) -> list[str]:
        """Return the schemas that belong to a place."""
        if place.location.schema is not None:
            return [place.location.schema]
        return [row[0] for row in self.rows(postgresql_schema.OWN_SCHEMAS)]

    def asked(self, schemas: Sequence[str], places: Sequence[Place]) -> postgresql_schema.Asked:
        """Return what is to be told of schemas that belong to some places."""
        without = [".".join(self.table(place)) for place in places]
        return postgresql_schema.Asked(schemas, without, self._version, places[0].grants)

    def table(self, place: Place) -> tuple[str, str]:
        """Return the schema and the name of a place's version table."""
        table = place.version_table
        return table.schema or place.location.schema or self.own or "", table.name


def _named(names: Sequence[str], values: Sequence[Any]) -> Details:
    return tuple(zip(names, map(str, values), strict=True))


def _heads(session: _Session, places: Sequence[Place]) -> Iterator[Reading]:
    there = []
    asked = session.rows(postgresql_schema.version_tables_sql([session.table(p) for p in places]))
    missing = _missing_schemas(session, places)
    for number, _, has_table, may_read in asked:
        place = places[number - 1]
        if place.location.schema in missing:
            yield nowhere(place)
        elif not has_table:
            yield Reading(place.target, has_version_table=False, server=session.server)
        elif not may_read:
            yield _no_right(place, ".".join(session.table(place)))
        else:
            there.append(place)
    yield from _halved(session, there, _with_heads, lambda place: place)


def _missing_schemas(session: _Session, places: Sequence[Place]) -> set[str]:
    wanted = {name for place in places if (name := place.location.schema) is not None}
    return wanted - {row[0] for row in session.rows(postgresql_schema.OWN_SCHEMAS)}


def _with_heads(session: _Session, places: Sequence[Place]) -> list[Reading]:
    found: list[list[str | None]] = [[] for _ in places]
    tables = [session.table(place) for place in places]
    for at, head in session.rows(postgresql_schema.heads_sql(tables)):
        found[at].append(head)
    return [
        standing(place, heads, session.server) for place, heads in zip(places, found, strict=True)
    ]


def _no_right(place: Place, table: str) -> Reading:
    failure = Failure(f"permission denied for {table}", NEXT_STEP[Fault.DENIED])
    return Reading(place.target, failure=failure, fault=Fault.REFUSED)


def _fingerprints(session: _Session, read: Sequence[tuple[Place, Reading]]) -> Iterator[Reading]:
    yield from (reading for _, reading in read if reading.failure is not None)
    readable = [(place, reading) for place, reading in read if reading.failure is None]
    if readable:
        yield from _halved(session, readable, _with_fingerprints, lambda pair: pair[0])


def _with_fingerprints(session: _Session, read: Sequence[tuple[Place, Reading]]) -> list[Reading]:
    places = [place for place, _ in read]
    schemas = sorted({name for place in places for name in session.schemas_of(place)})
    asked = session.rows(postgresql_schema.digests_sql(session.asked(schemas, places)))
    totals = {name: postgresql_schema.total(name, sums, facts) for name, *sums, facts in asked}
    found = []
    for place, reading in read:
        if place.location.schema is None:
            named = [("" if name == session.own else name, sums) for name, sums in totals.items()]
            parts = [session.settings, session.traits, *sorted(named)]
        elif place.location.schema in totals:
            parts = [session.settings, totals[place.location.schema]]
        else:
            found.append(nowhere(place))
            continue
        found.append(replace(reading, fingerprint=fingerprint_of(parts)))
    return found


def _halved(
    session: _Session,
    items: Sequence[T],
    read: Callable[[_Session, Sequence[T]], list[Reading]],
    place_of: Callable[[T], Place],
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
