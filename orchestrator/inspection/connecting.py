"""Connections that only read: a driver's own, opened for a few queries and closed again."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import Any

from orchestrator.dialects import Timeouts, dialect_of
from orchestrator.dialects.drivers import sync_components
from orchestrator.dialects.tls import share_unverified_context
from orchestrator.fleet.location import Location

_CONNECT_TIMEOUT = 10
_READ_TIMEOUT = 120
"""For a server that accepts and then never answers."""
_TAKES_CONNECT_TIMEOUT = frozenset({"pymysql", "mysqldb", "psycopg", "psycopg2"})
STATEMENT_TIMEOUT = 60.0
"""Seconds that one query of ours may take where the file sets no limit."""

Rows = Sequence[Sequence[Any]]


@contextmanager
def connected(location: Location, timeouts: Timeouts) -> Iterator[Any]:
    """Connect by the driver itself: SQLAlchemy's engine asks a server several things first.

    Waits are short, and statements have a limit. Raises what the driver raises.
    """
    from sqlalchemy import URL

    url = URL.create(**sync_components(location))
    dialect = _dialect(url.drivername)
    args, options = dialect.create_connect_args(url)
    options.update(_options(dialect.driver, options))
    limited = Timeouts(timeouts.lock, timeouts.statement or STATEMENT_TIMEOUT)
    with _closing(dialect.connect(*args, **options)) as connection:
        for statement in dialect_of(location.backend).on_connect(limited, None, "orchestrator"):
            run(connection, statement)
        connection.commit()
        yield connection


@contextmanager
def _closing(connection: Any) -> Iterator[Any]:
    try:
        yield connection
    finally:
        with suppress(Exception):  # one that broke may not like to be closed
            connection.close()


def run(connection: Any, sql: str) -> None:
    """Run a statement that returns nothing."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)


def rows(connection: Any, sql: str) -> Rows:
    """Return the rows of a query."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        found: Rows = cursor.fetchall()
    return found


@cache
def _dialect(drivername: str) -> Any:
    from sqlalchemy import URL

    found: Any = URL.create(drivername).get_dialect()
    share_unverified_context()
    return found(dbapi=found.import_dbapi())


def _options(driver: str, given: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if driver in _TAKES_CONNECT_TIMEOUT:
        options["connect_timeout"] = _CONNECT_TIMEOUT
    if driver == "psycopg":
        options["prepare_threshold"] = None  # a pooler may swap the connection behind it
    if driver == "pymysql":
        from pymysql.constants import CLIENT

        options["read_timeout"] = _READ_TIMEOUT
        flag = int(given.get("client_flag", 0)) | CLIENT.MULTI_STATEMENTS
        return {**{k: v for k, v in options.items() if k not in given}, "client_flag": flag}
    return {name: value for name, value in options.items() if name not in given}
