"""The engine of a target's session: one connection at a time, prepared before anybody uses it."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from orchestrator.dialects import Dialect, Timeouts
from orchestrator.dialects.drivers import OF_LIBPQ
from orchestrator.fleet.location import Location
from orchestrator.worker.connection.aside import last_row, outside_transactions
from orchestrator.worker.connection.greeting import greeting_of, learn_once
from orchestrator.worker.connection.urls import own_url_of

_CONNECT_TIMEOUT = 10
_TAKES_CONNECT_TIMEOUT = frozenset({"pymysql", "mysqldb", "psycopg", "psycopg2"})


def openable(location: Location, *, write: bool) -> Location:
    """Return where to connect to. Of SQLite, its folder is made to ``write``, else nothing is."""
    if location.backend != "sqlite":
        return location
    path = Path(location.file or "")
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        # Reading must not create it. An empty database in memory gives the same answers.
        return replace(location, database=":memory:", query={})
    return location


def engine_of(
    location: Location,
    dialect: Dialect,
    timeouts: Timeouts,
    *,
    write: bool,
    more: Mapping[str, Any] | None = None,
) -> Engine:
    """Return an engine whose connections have short waits, the target's schema, our name.

    ``more``: what the driver is called with besides.
    """
    arguments: dict[str, Any] = {}
    url = own_url_of(location)
    driver = url.get_driver_name()
    if driver in _TAKES_CONNECT_TIMEOUT and "connect_timeout" not in url.query:
        arguments["connect_timeout"] = _CONNECT_TIMEOUT
    if driver == "psycopg":
        # Statements prepared on a server connection are not there after a pooler swapped it.
        arguments["prepare_threshold"] = None
    if driver == "pymysql" and "read_timeout" not in url.query:
        arguments["read_timeout"] = _CONNECT_TIMEOUT  # its connect_timeout ends before the greeting
    arguments |= more or {}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    statements = dialect.on_connect(timeouts, location.schema, _label())
    _prepare_connections(engine, statements, dialect.greeting())
    learn_once(engine, arguments)
    if location.driver == "postgresql+asyncpg":
        _keep_percent_signs(engine)
    if location.backend == "sqlite":
        _begin_for_real(engine, "BEGIN IMMEDIATE" if write else "BEGIN")
    return engine


def _prepare_connections(engine: Engine, statements: Sequence[str], greeting: str | None) -> None:
    asked = [*statements, *([] if greeting is None else [greeting])]
    at_once = engine.dialect.driver in OF_LIBPQ

    # First in line: SQLAlchemy's own first-connect reads the default schema.
    @event.listens_for(engine, "connect", insert=True)
    def connect(dbapi_connection: Any, record: Any) -> None:
        if hasattr(dbapi_connection, "_read_timeout"):
            dbapi_connection._read_timeout = None  # PyMySQL's; statements have their own limits
        with outside_transactions(dbapi_connection, engine.dialect.driver) as cursor:
            for statement in ["; ".join(asked)] if at_once else asked:
                cursor.execute(statement)
            if greeting is not None:
                record.record_info["greeting"] = greeting_of(
                    last_row(cursor, engine.dialect.driver)
                )


def _keep_percent_signs(engine: Engine) -> None:
    # asyncpg has no % of its own: what its applications write for the driver must mean the same
    # through ours. What SQLAlchemy compiles has its signs doubled for ours already.
    @event.listens_for(engine, "do_execute")
    def do_execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
        if parameters or context is None or context.compiled is not None:
            return None
        cursor.execute(statement)
        return True


def _begin_for_real(engine: Engine, begin: str) -> None:
    # Python's sqlite3 begins a transaction before INSERT but not before CREATE TABLE: a failed
    # revision would stay half applied. SQLAlchemy's documented way out is to begin ourselves.
    @event.listens_for(engine, "begin")
    def do_begin(connection: Connection) -> None:
        dbapi_connection: Any = connection.connection.dbapi_connection
        if dbapi_connection.isolation_level is not None and not dbapi_connection.in_transaction:
            # A migration may look at the database through a second connection.
            connection.exec_driver_sql(begin if "session" in connection.info else "BEGIN")


def _label() -> str:
    return f"orchestrator {socket.gethostname()}:{os.getpid()}"
