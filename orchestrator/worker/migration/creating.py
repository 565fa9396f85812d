"""Makes a target's database or schema where there is none, and takes it away if it is empty."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from orchestrator.dialects import Fault, Timeouts, dialect_of
from orchestrator.dialects.creating import (
    MYSQL_CODE_REMAINS,
    Creation,
    Making,
    mysql_database_of,
    postgresql_database_of,
    postgresql_remains,
    schema_of,
)
from orchestrator.dialects.mysql_schema import list_sql
from orchestrator.dialects.mysql_schema import quoted as mysql_quoted
from orchestrator.dialects.postgresql_schema import quoted
from orchestrator.fleet.location import Location
from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.connection.engine import engine_of
from orchestrator.worker.connection.session import Locked, NoSchema, Session
from orchestrator.worker.failures import fault_of

_HOMES = ("postgres", "template1")
"""Databases of PostgreSQL that one can be asked for from: the first that lets us in."""
Fate = Literal["dropped", "kept"]


def is_missing(error: BaseException, location: Location) -> bool:
    """Whether a target could not be opened because there is no such database or schema."""
    return isinstance(error, NoSchema) or fault_of(error, location.backend) is Fault.MISSING


def create(location: Location, timeouts: Timeouts, creation: Creation) -> tuple[str, ...]:
    """Make the target's database, and its schema where it is one, and return what was made.

    Under a lock that everybody who makes it or takes it away holds: of two, one makes it. Raises
    ``Locked``, ``DBAPIError``.
    """
    try:
        return _made(location, timeouts, creation)
    except DBAPIError as error:
        if location.schema is None or not is_missing(error, location):
            raise
    # The schema's database is not there either.
    database = _made(replace(location, schema=None), timeouts, creation)
    return (*database, *_made(location, timeouts, creation))


def _made(location: Location, timeouts: Timeouts, creation: Creation) -> tuple[str, ...]:
    with _home(location, timeouts, creation) as (connection, making):
        return (making.what,) if _make(connection, making, timeouts) else ()


@contextlib.contextmanager
def _home(
    location: Location, timeouts: Timeouts, creation: Creation
) -> Iterator[tuple[Connection, Making]]:
    """Connect to where the target is made from, and tell what makes it."""
    name = location.database or ""
    if location.backend != "postgresql":
        with _connected(replace(location, database=None), timeouts) as connection:
            yield connection, mysql_database_of(name, creation)
        return
    if location.schema is not None:
        schema = location.schema
        with _connected(replace(location, schema=None), timeouts) as connection:
            yield connection, schema_of(schema, creation)
        return
    with _let_in(location, timeouts) as connection:
        yield connection, postgresql_database_of(name, creation)


@contextlib.contextmanager
def _let_in(location: Location, timeouts: Timeouts) -> Iterator[Connection]:
    with contextlib.ExitStack() as stack:
        for home in _HOMES:
            try:
                place = replace(location, database=home, schema=None)
                connection = stack.enter_context(_connected(place, timeouts))
                break
            except DBAPIError:
                if home == _HOMES[-1]:
                    raise
        yield connection


@contextlib.contextmanager
def _connected(location: Location, timeouts: Timeouts) -> Iterator[Connection]:
    engine = engine_of(location, dialect_of(location.backend), timeouts, write=True)
    try:
        with engine.connect() as connection:
            # PostgreSQL makes and drops no database within a transaction.
            yield connection.execution_options(isolation_level="AUTOCOMMIT")
    finally:
        engine.dispose()


def _make(connection: Connection, making: Making, timeouts: Timeouts) -> bool:
    """Return whether it was made; it was not where it is there by now."""
    _lock(connection, making, timeouts)
    if _run(connection, making.there).first():
        return False
    _run(connection, making.sql)
    return True


def _lock(connection: Connection, making: Making, timeouts: Timeouts) -> None:
    """Hold the lock until the connection is closed. Raises ``Locked``."""
    dialect = dialect_of(connection.dialect.name)
    key = str(_run(connection, making.key).scalar())
    had = connection.exec_driver_sql(dialect.acquire(key, timeouts)).first()
    if had is None or not had[0]:
        raise Locked("another connection")


def drop_whole(location: Location, timeouts: Timeouts) -> None:
    """Take away a database with all that is in it: for one that its caller has made.

    Raises ``DBAPIError``.
    """
    if location.backend == "sqlite":
        Path(location.file or "").unlink(missing_ok=True)
        return
    name = location.database or ""
    with _home(replace(location, schema=None), timeouts, Creation()) as (connection, _):
        quote = quoted if location.backend == "postgresql" else mysql_quoted
        _run(connection, f"DROP DATABASE IF EXISTS {quote(name)}")


def drop_if_empty(session: Session, table: VersionTable) -> tuple[Fate, str]:
    """Take away a target that holds nothing but an empty version table, and say what became of it.

    The session holds the target's lock; it is of no use afterwards.
    """
    location = session.location
    if location.backend != "postgresql":
        return _drop_mysql_database(session, location.database or "", table)
    if location.schema is not None:
        return _drop_schema(session, location.schema, table)
    return _drop_postgresql_database(session, location.database or "", table)


def _drop_mysql_database(session: Session, name: str, table: VersionTable) -> tuple[Fate, str]:
    # The server tells what it takes the name for, whatever it makes of upper and lower case.
    remains = [row[0] for row in session.rows(list_sql(name)) if row[0] != table.name]
    remains = remains or [row[0] for row in session.rows(MYSQL_CODE_REMAINS)]
    if remains:
        return _kept(f"database {name}", f"{remains[0]} is in it")
    _run(session.connection, f"DROP DATABASE {mysql_quoted(name)}")
    return _dropped(f"database {name}")


def _drop_postgresql_database(session: Session, name: str, table: VersionTable) -> tuple[Fate, str]:
    if remains := session.rows(postgresql_remains(table.name)):
        return _kept(f"database {name}", f"{remains[0][0]} is in it")
    session.connection.close()
    with _let_in(session.location, session.timeouts) as other:
        _lock(other, postgresql_database_of(name, Creation()), session.timeouts)
        try:
            _run(other, f"DROP DATABASE {quoted(name)}")
        except DBAPIError as error:
            return _kept(f"database {name}", _first_line(error))
    return _dropped(f"database {name}")


def _drop_schema(session: Session, schema: str, table: VersionTable) -> tuple[Fate, str]:
    try:
        with session.connection.begin():
            own = f"{quoted(table.schema or schema)}.{quoted(table.name)}"
            _run(session.connection, f"DROP TABLE IF EXISTS {own}")
            _run(session.connection, f"DROP SCHEMA {quoted(schema)}")
    except DBAPIError as error:
        return _kept(f"schema {schema}", _first_line(error))
    return _dropped(f"schema {schema}")


def _kept(what: str, why: str) -> tuple[Fate, str]:
    return "kept", f"{what} is kept: {why}"


def _dropped(what: str) -> tuple[Fate, str]:
    return "dropped", f"{what} was empty, and is dropped"


def _run(connection: Connection, sql: str) -> Any:
    # Drivers would take a percent sign in a name for a parameter.
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]
