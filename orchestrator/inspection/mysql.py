"""Reads many databases of one MySQL or MariaDB server through one connection."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Any

from orchestrator.dialects import Fault, dialect_of, mysql_schema
from orchestrator.dialects.mysql_schema import Shown
from orchestrator.fleet.schema import Thing
from orchestrator.inspection.connecting import Rows, connected, rows
from orchestrator.inspection.reading import Place, Reading, batches, fingerprint_of, unread

_TABLES_PER_UNION = 500
_DATABASES_PER_LOOK = 50
_STATEMENTS_AT_ONCE = 100
_BROKEN = frozenset({Fault.LOST, Fault.UNREACHABLE})
_TABLES = frozenset({"BASE TABLE", "SYSTEM VERSIONED"})

Answer = Rows | Exception
Described = tuple[tuple[str, ...], list[Shown]]
"""What new tables get, and everything that there is."""


def read(places: Sequence[Place], *, schemas: bool) -> Iterator[Reading]:
    """Yield a reading of each place. All are on one server, reached by one user.

    Raises what the driver raises when the connection can't be made or breaks.
    """
    with _server(places) as (connection, server):
        for batch in batches(places, _TABLES_PER_UNION):
            standing = [replace(found, server=server) for found in _heads(connection, batch)]
            if not schemas:
                yield from standing
                continue
            of = {place.target: place for place in batch}
            for some in batches(standing, _DATABASES_PER_LOOK):
                yield from _with_fingerprints(connection, some, of)


def things(places: Sequence[Place]) -> Iterator[tuple[str, tuple[Thing, ...]]]:
    """Yield everything in the schema of each place. Raises what the driver raises."""
    with _server(places) as (connection, _):
        for place, found in zip(places, _described(connection, places), strict=True):
            if isinstance(found, Exception):
                raise found
            yield place.target, tuple(mysql_schema.things(*found))


@contextmanager
def _server(places: Sequence[Place]) -> Iterator[tuple[Any, str]]:
    """Connect, and tell what is at the other end."""
    first = places[0]
    # Any one of several databases may be missing; the server is what they share.
    home = first.location if len(places) == 1 else replace(first.location, database=None)
    with connected(home, first.timeouts) as connection:
        ((version,),) = rows(connection, "SELECT VERSION()")
        connection.commit()
        number, _, rest = str(version).partition("-")
        yield connection, f"{'MariaDB' if 'mariadb' in rest.lower() else 'MySQL'} {number}"


def _heads(connection: Any, places: Sequence[Place]) -> Iterator[Reading]:
    """Ask for the heads of all at once; only where that fails, for who is at fault."""
    try:
        yield from _union(connection, places)
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        _raise_if_broken(error)
        there, others = _sorted_out(connection, places)
        yield from others
        yield from _halved(connection, there)


def _union(connection: Any, places: Sequence[Place]) -> list[Reading]:
    found: list[list[str]] = [[] for _ in places]
    for at, head in rows(connection, mysql_schema.heads_sql([_table(p) for p in places])):
        found[at].append(head.decode() if isinstance(head, bytes | bytearray) else str(head))
    connection.commit()  # nobody waits for a table that we have read
    return [Reading(p.target, tuple(sorted(h))) for p, h in zip(places, found, strict=True)]


def _halved(connection: Any, places: Sequence[Place]) -> Iterator[Reading]:
    """Read the heads of those that can be read, whichever they are."""
    if not places:
        return
    try:
        yield from _union(connection, places)
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        _raise_if_broken(error)
        if len(places) == 1:
            yield unread(places[0], error)
            return
        middle = len(places) // 2
        yield from chain(
            _halved(connection, places[:middle]), _halved(connection, places[middle:])
        )


def _sorted_out(
    connection: Any, places: Sequence[Place]
) -> tuple[list[Place], list[Reading]]:
    """Return those that have a version table, and what there is to say of the others."""
    databases, tables = mysql_schema.existing_sql([_table(place) for place in places])
    ((folds,),) = rows(connection, "SELECT @@lower_case_table_names")
    fold = str.lower if folds else str
    has_database = {fold(_text(row[0])) for row in rows(connection, databases)}
    has_table = {(fold(_text(a)), fold(_text(b))) for a, b in rows(connection, tables)}
    there, others = [], []
    for place in places:
        database, table = map(fold, _table(place))
        own = place.location.database or ""
        if (database, table) in has_table:
            there.append(place)
        elif fold(own) in has_database:
            others.append(Reading(place.target, has_version_table=False))
        else:
            (answer,) = _several(connection, [f"USE {mysql_schema.quoted(own)}"])
            # One that may not be seen is in no list, but may be used.
            others.append(
                unread(place, answer)
                if isinstance(answer, Exception)
                else Reading(place.target, has_version_table=False)
            )
    return there, others


def _with_fingerprints(
    connection: Any, readings: Sequence[Reading], of: Mapping[str, Place]
) -> Iterator[Reading]:
    readable = [reading for reading in readings if reading.failure is None]
    yield from (reading for reading in readings if reading.failure is not None)
    described = _described(connection, [of[reading.target] for reading in readable])
    for reading, found in zip(readable, described, strict=True):
        if isinstance(found, Exception):
            yield unread(of[reading.target], found)
        else:
            defaults, shown = found
            yield replace(reading, fingerprint=fingerprint_of([defaults, *sorted(shown)]))


def _described(connection: Any, places: Sequence[Place]) -> list[Described | Exception]:
    """Show everything in some databases. An error is of its own database alone."""
    databases = [place.location.database or "" for place in places]
    questions = [
        sql(database)
        for database in databases
        for sql in (mysql_schema.defaults_sql, mysql_schema.list_sql)
    ]
    answers = list(_several(connection, questions))
    found: list[Described | Exception] = []
    wanted: list[tuple[int, str, str]] = []
    for at, place in enumerate(places):
        defaults, listed = answers[2 * at], answers[2 * at + 1]
        if isinstance(listed, Exception) or isinstance(defaults, Exception):
            found.append(listed if isinstance(listed, Exception) else Exception(defaults))
            continue
        found.append((tuple(map(_text, defaults[0] if defaults else ())), []))
        own_table = place.version_table.schema in (None, databases[at])
        without = place.version_table.name if own_table else None
        names = ((_text(name), _text(type_)) for name, type_ in listed)
        wanted += [(at, type_, name) for name, type_ in names if name != without]
    questions = [mysql_schema.show_sql(databases[at], type_, name) for at, type_, name in wanted]
    for (at, type_, name), answer in zip(wanted, _several(connection, questions), strict=True):
        described = found[at]
        if isinstance(described, Exception):
            continue
        if not isinstance(answer, Exception):
            text = _canonical(databases[at], type_, _text(answer[0][1]))
            described[1].append((type_, name, text))
        elif type_ in _TABLES:
            found[at] = answer
        else:  # a view that may not be shown, or that is broken
            described[1].append((type_, name, f"can't be shown: {answer.args[0]}"))
    connection.commit()
    return found


def _canonical(database: str, type_: str, text: str) -> str:
    # Only what is no table names its own database.
    return _canonical_text(database if type_ not in _TABLES else "", type_, text)


_canonical_text = lru_cache(maxsize=20_000)(mysql_schema.canonical)
"""Databases of one class have the same texts."""


def _several(connection: Any, statements: Sequence[str]) -> Iterator[Answer]:
    """Yield the answer to each statement. One that fails does not keep the others from running."""
    left = list(statements)
    while left:
        answers: list[Answer] = []
        # Only PyMySQL is known to take several statements at once as it was asked to.
        many = _STATEMENTS_AT_ONCE if type(connection).__module__.startswith("pymysql") else 1
        with closing(connection.cursor()) as cursor:
            try:
                cursor.execute(";".join(left[:many]))
                answers.append(cursor.fetchall())
                while cursor.nextset():
                    answers.append(cursor.fetchall())
            except Exception as error:  # noqa: BLE001 - drivers share no class of errors
                _raise_if_broken(error)
                answers.append(error)
        yield from answers
        del left[: len(answers)]


def _raise_if_broken(error: Exception) -> None:
    """Raise again what no further statement on this connection would survive."""
    if dialect_of("mysql").fault(error) in _BROKEN:
        raise error


def _table(place: Place) -> tuple[str, str]:
    table = place.version_table
    return table.schema or place.location.database or "", table.name


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes | bytearray) else str(value)
