"""Questions to the server that are in no transaction: one round trip, where the driver allows."""

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from orchestrator.dialects.drivers import OF_LIBPQ

_BEGINS_NONE = frozenset({"pymysql", "mysqldb", "mariadbconnector"})
"""Drivers of servers where a question that is about no table begins none."""

_IDLE = 0


@contextlib.contextmanager
def outside_transactions(driver_connection: Any, driver: str) -> Iterator[Any]:
    """Give a cursor of the driver; what it executes outlasts a rollback.

    The connection must have no transaction open, and has none afterwards.
    """
    at_will = driver in OF_LIBPQ
    was = driver_connection.autocommit if at_will else None
    if at_will and not was:
        driver_connection.autocommit = True
    cursor = driver_connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()
        if at_will and not was and not driver_connection.closed:
            driver_connection.autocommit = False
    if not at_will and driver not in _BEGINS_NONE:
        driver_connection.commit()


def last_row(cursor: Any, driver: str) -> Any:
    """Return the first row of the last of the statements that were executed at once."""
    while driver == "psycopg" and cursor.nextset():
        pass
    return cursor.fetchone()


def ask(connection: Connection, sql: str, *, of_tables: bool = False) -> list[tuple[Any, ...]]:
    """Return the rows that a question gives, in the transaction that is open, or in none.

    ``of_tables``: it reads some. Raises ``DBAPIError``.
    """
    if connection.in_transaction() or not _can_be_asked(connection, of_tables=of_tables):
        return _ask_within(connection, sql)
    own = connection.connection.dbapi_connection
    dialect = connection.dialect
    try:
        with outside_transactions(own, dialect.driver) as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]
    except dialect.loaded_dbapi.Error as error:
        if lost := dialect.is_disconnect(error, own, None):
            connection.invalidate(error)
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(
            sql, None, error, base, connection_invalidated=lost, dialect=dialect
        ) from error


def _can_be_asked(connection: Connection, *, of_tables: bool) -> bool:
    """Whether the driver has no transaction open either, and need not begin one."""
    if connection.invalidated:
        return False
    if connection.dialect.driver in _BEGINS_NONE:
        return not of_tables
    own: Any = connection.connection.dbapi_connection
    return (
        connection.dialect.driver in OF_LIBPQ
        and not own.closed
        and int(own.info.transaction_status) == _IDLE
    )


def _ask_within(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    was_in = connection.in_transaction()
    try:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]
    finally:
        if not was_in:
            connection.rollback()
