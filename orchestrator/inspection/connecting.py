"""Connections that only read: a driver's own, opened for a few queries and closed again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import Any

from orchestrator.dialects import Timeouts, dialect_of
from orchestrator.dialects.drivers import OF_LIBPQ, sync_components
from orchestrator.dialects.tls import share_unverified_context
from orchestrator.fleet.location import Location

_CONNECT_TIMEOUT = 10
_STEPS = 100_000
"""Instructions of SQLite's machine between two looks at the clock: well below a millisecond."""
_GRACE = 5
"""Seconds that an answer may take longer than its statement: then the server is gone."""
_LIBPQ = {
    "application_name": "orchestrator",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""PostgreSQL's drivers have no limit of their own for a server that is gone."""
_TAKES_CONNECT_TIMEOUT = frozenset({"pymysql", "mysqldb", "psycopg", "psycopg2"})
STATEMENT_TIMEOUT = 60.0
"""Seconds that one query of ours may take where the file sets no limit."""

Rows = Sequence[Sequence[Any]]


@contextmanager
def connected(location: Location, timeouts: Timeouts) -> Iterator[Any]:
    """Connect by the driver itself: SQLAlchemy's engine asks a server several things first.

    Waits are short, and statements have a limit (on SQLite all of a connection's together); on
    PostgreSQL only in transactions that set it, as
    a pooler may keep a session's settings for somebody else. Raises what the driver raises.
    """
    from sqlalchemy import URL

    url = URL.create(**sync_components(location))
    dialect = _dialect(url.drivername)
    args, options = dialect.create_connect_args(url)
    options.update(_options(dialect.driver, options))
    with _closing(dialect.connect(*args, **options)) as connection:
        limits = limited(timeouts)
        if "read_timeout" not in url.query and hasattr(connection, "_read_timeout"):
            # PyMySQL's, so far for the server's greeting.
            connection._read_timeout = (limits.statement or STATEMENT_TIMEOUT) + _GRACE
        if hasattr(connection, "set_progress_handler"):  # SQLite has no time-out of its own
            until = time.monotonic() + (limits.statement or STATEMENT_TIMEOUT)
            connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        if location.backend != "postgresql":
            for statement in dialect_of(location.backend).on_connect(limits, None, ""):
                run(connection, statement)
            connection.commit()
        yield connection


def limited(timeouts: Timeouts) -> Timeouts:
    """Return time-outs with a limit for statements, the file's or our own."""
    return Timeouts(timeouts.lock, timeouts.statement or STATEMENT_TIMEOUT)


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
    """Return the rows of a query, of several statements those of the last."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        while cursor.description is None and cursor.nextset():
            pass
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
    if driver in OF_LIBPQ:
        options.update(_LIBPQ)
    if driver == "mysqldb":
        options["read_timeout"] = int(STATEMENT_TIMEOUT)
    if driver == "psycopg":
        options["prepare_threshold"] = None  # a pooler may swap the connection behind it
    if driver == "pymysql":
        from pymysql.constants import CLIENT

        options["read_timeout"] = _CONNECT_TIMEOUT
        flag = int(given.get("client_flag", 0)) | CLIENT.MULTI_STATEMENTS
        return {**{k: v for k, v in options.items() if k not in given}, "client_flag": flag}
    return {name: value for name, value in options.items() if name not in given}
