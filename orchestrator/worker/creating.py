"""Makes a target's database or schema where there is none, and takes it away if it is empty."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from orchestrator.dialects import Fault, Timeouts, dialect_of
from orchestrator.dialects.creating import (
    Creation,
    Making,
    mysql_database_of,
    mysql_remains,
    postgresql_database_of,
    postgresql_remains,
    schema_of,
)
from orchestrator.dialects.mysql_schema import quoted as mysql_quoted
from orchestrator.dialects.postgresql_schema import quoted
from orchestrator.fleet.location import Location
from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.engine import engine_of
from orchestrator.worker.failures import fault_of
from orchestrator.worker.session import Locked, NoSchema, Session

_HOMES = ("postgres", "template1")
"""Databases of PostgreSQL that one can be asked for from: the first that lets us in."""
_BEGUN = 2
"""A database and a schema in it."""


def is_missing(error: BaseException, location: Location) -> bool:
    """Whether a target could not be opened because there is no such database or schema."""
    return isinstance(error, NoSchema) or fault_of(error, location.backend) is Fault.MISSING


def create(
    location: Location,
    timeouts: Timeouts,
    creation: Creation,
    told: Callable[[str], Any],
) -> None:
    """Make the target's database, and its schema where it is one, and tell what was made.

    Under a lock that everybody who makes it or takes it away holds: of two, one makes it. Raises
    ``Locked``, ``DBAPIError``.
    """
    for _ in range(_BEGUN):
        try:
            with _home(location, timeouts, creation) as (connection, making):
                if _make(connection, making, timeouts):
                    told(making.what)
                return
        except DBAPIError as error:
            if location.schema is None or not is_missing(error, location):
                raise
        # The schema's database is not there either.
        create(replace(location, schema=None), timeouts, creation, told)


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
    if connection.exec_driver_sql(making.there).first():
        return False
    connection.exec_driver_sql(making.sql.replace("%", "%%"))
    return True


def _lock(connection: Connection, making: Making, timeouts: Timeouts) -> None:
    """Hold the lock until the connection is closed. Raises ``Locked``."""
    dialect = dialect_of(connection.dialect.name)
    key = str(connection.exec_driver_sql(making.key.replace("%", "%%")).scalar())
    had = connection.exec_driver_sql(dialect.acquire(key, timeouts)).first()
    if had is None or not had[0]:
        raise Locked("another connection")


def drop_if_empty(session: Session, table: VersionTable) -> str:
    """Take away a target that holds nothing but an empty version table, and say what became of it.

    The session holds the target's lock; it is of no use afterwards.
    """
    location, connection = session.location, session.connection
    if location.backend == "postgresql" and location.schema is not None:
        return _drop_schema(session, location.schema, table)
    name = location.database or ""
    mysql = location.backend != "postgresql"
    remains = session.rows(
        mysql_remains(name, table.name) if mysql else postgresql_remains(table.name)
    )
    if remains:
        return f"database {name} is kept: {remains[0][0]} is in it"
    if mysql:
        connection.exec_driver_sql(f"DROP DATABASE {mysql_quoted(name)}".replace("%", "%%"))
        return f"database {name} was empty, and is dropped"
    connection.close()
    with _let_in(location, session.timeouts) as other:
        _lock(other, postgresql_database_of(name, Creation()), session.timeouts)
        try:
            other.exec_driver_sql(f"DROP DATABASE {quoted(name)}".replace("%", "%%"))
        except DBAPIError as error:
            return f"database {name} is kept: {str(error.orig).splitlines()[0]}"
    return f"database {name} was empty, and is dropped"


def _drop_schema(session: Session, schema: str, table: VersionTable) -> str:
    own = f"{quoted(table.schema or schema)}.{quoted(table.name)}"
    connection = session.connection
    try:
        with connection.begin():
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {own}".replace("%", "%%"))
            connection.exec_driver_sql(f"DROP SCHEMA {quoted(schema)}".replace("%", "%%"))
    except DBAPIError as error:
        return f"schema {schema} is kept: {str(error.orig).splitlines()[0]}"
    return f"schema {schema} was empty, and is dropped"
