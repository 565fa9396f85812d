"""Our one connection to a target: time-outs set, its lock held, and no other in its place."""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from orchestrator.dialects import Dialect, Fault, Timeouts, dialect_of
from orchestrator.fleet.location import Location
from orchestrator.worker.filelock import FileLocked, file_lock
from orchestrator.worker.pooler import refuse_transaction_pooling

_CONNECT_TIMEOUT = 10
_TAKES_CONNECT_TIMEOUT = frozenset({"pymysql", "mysqldb", "psycopg", "psycopg2", "psycopg_async"})


class Locked(Exception):
    """Somebody else holds the target's lock; the message says who."""


class LostLock(Exception):
    """The connection that held the lock is not the one that answers now."""


class LeftTarget(Exception):
    """A revision turned the session away from its target."""


class NoSchema(Exception):
    """The target's database or schema does not exist."""


@dataclass(frozen=True, slots=True)
class Session:
    """One connection to one target."""

    connection: Connection
    dialect: Dialect
    location: Location
    timeouts: Timeouts
    key: str | None = None
    """The key of the lock that it holds, where the database holds it."""
    pooled: bool = False
    """Whether a pooler sits between us and the server."""

    @property
    def engine(self) -> Engine:
        """The engine of the connection. A migration may take further connections from it."""
        return self.connection.engine

    def value(self, sql: str) -> Any:
        """Return the first value of the first row, and leave no transaction open."""
        row = self.connection.exec_driver_sql(sql).first()
        self.connection.rollback()
        return None if row is None else row[0]

    def heads(self, version_table: str) -> tuple[str, ...]:
        """Read the heads from the version table, sorted; empty where there is none."""
        context = MigrationContext.configure(self.connection, opts={"version_table": version_table})
        try:
            return tuple(sorted(context.get_current_heads()))
        finally:
            self.connection.rollback()

    def assert_in_place(self) -> None:
        """Raise ``LeftTarget`` unless unqualified names still mean the target's own."""
        sql = self.dialect.lock_key()
        if self.key is None or sql is None:
            return
        row = self.connection.exec_driver_sql(sql).first()
        if row is None or str(row[0]) != self.key:
            raise LeftTarget(
                "the revision left the session in another schema or database (search_path, USE)"
            )

    def assert_locked(self) -> None:
        """Raise ``LostLock`` unless the connection that answers now holds the lock.

        Asked inside the transaction that is about to change something, so that the answer is
        about the very backend that will do it. Costs one round trip.
        """
        if self.key is None:
            return
        row = self.connection.exec_driver_sql(self.dialect.held(self.key)).first()
        if row is None or not row[0]:
            raise LostLock("the connection that held the target's lock was lost or swapped")


@contextlib.contextmanager
def open_session(
    location: Location, timeouts: Timeouts, *, write: bool = False
) -> Iterator[Session]:
    """Connect to a target; to one that will be changed (``write``) with its folder made.

    Raises ``DBAPIError`` when it can't be reached. Everything is closed on exit, whatever state
    the connection is in.
    """
    dialect = dialect_of(location.backend)
    engine = _engine(_readable(location, write=write), dialect, timeouts, write=write)
    try:
        connection = engine.connect()
        try:
            _stay_connected(connection)
            yield Session(connection, dialect, location, timeouts)
        finally:
            # A connection that broke raises again when it is closed; the first error is the news.
            with contextlib.suppress(DBAPIError, OSError):
                connection.close()
    finally:
        engine.dispose()


@contextlib.contextmanager
def locked(session: Session) -> Iterator[Session]:
    """Hold the target's lock on the session's own connection. Raises ``Locked``, ``NoSchema``."""
    sql = session.dialect.lock_key()
    if sql is None:
        path = Path(os.path.realpath(session.location.file or ""))
        try:
            with file_lock(path.with_name(path.name + ".lock"), session.timeouts.lock):
                yield session
        except FileLocked as error:
            raise Locked(str(error)) from None
        return
    key = session.value(sql)
    if key is None:
        what = session.location.schema or session.location.database or "the database"
        raise NoSchema(f"there is no schema or database '{what}'")
    pooled = refuse_transaction_pooling(session.connection, session.location)
    _acquire(session, str(key))
    yield replace(session, key=str(key), pooled=pooled)
    # Nothing to release: the lock goes with the connection, which open_session closes.


def _acquire(session: Session, key: str) -> None:
    try:
        had = session.value(session.dialect.acquire(key, session.timeouts))
    except DBAPIError as error:
        session.connection.rollback()
        if error.orig is None or session.dialect.fault(error.orig) is not Fault.LOCK_WAIT:
            raise
        had = 0
    if not had:
        raise Locked(session.value(session.dialect.holder(key)) or "another connection")


def _stay_connected(connection: Connection) -> None:
    """Refuse every statement once the connection was lost: SQLAlchemy reconnects, but unlocked."""
    own = connection.connection.dbapi_connection
    connection.info["session"] = True

    @event.listens_for(connection.engine, "before_cursor_execute")
    def before(now: Connection, *_: Any) -> None:
        if now is connection and now.connection.dbapi_connection is not own:
            raise LostLock("the connection that held the target's lock was lost")


def url_of(location: Location) -> URL:
    """Return SQLAlchemy's URL of a location, secrets and all."""
    return URL.create(**location.components)


def _readable(location: Location, *, write: bool) -> Location:
    if location.backend != "sqlite":
        return location
    path = Path(location.file or "")
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        # Reading must not create it. An empty database in memory gives the same answers.
        return replace(location, database=":memory:", query={})
    return location


def _engine(location: Location, dialect: Dialect, timeouts: Timeouts, *, write: bool) -> Engine:
    arguments: dict[str, Any] = {}
    driver = location.driver.partition("+")[2] or {"mysql": "mysqldb"}.get(location.driver, "")
    if driver in _TAKES_CONNECT_TIMEOUT and "connect_timeout" not in location.query:
        arguments["connect_timeout"] = _CONNECT_TIMEOUT
    if driver == "psycopg":
        # Statements prepared on a server connection are not there after a pooler swapped it.
        arguments["prepare_threshold"] = None
    if driver == "pymysql" and "read_timeout" not in location.query:
        arguments["read_timeout"] = _CONNECT_TIMEOUT  # its connect_timeout ends before the greeting
    engine = create_engine(url_of(location), poolclass=NullPool, connect_args=arguments)
    statements = dialect.on_connect(timeouts, location.schema, _label())
    _prepare_connections(engine, statements)
    if location.backend == "sqlite":
        _begin_for_real(engine, "BEGIN IMMEDIATE" if write else "BEGIN")
    return engine


def _prepare_connections(engine: Engine, statements: Any) -> None:
    # First in line: SQLAlchemy's own first-connect reads the default schema.
    @event.listens_for(engine, "connect", insert=True)
    def connect(dbapi_connection: Any, _record: Any) -> None:
        if hasattr(dbapi_connection, "_read_timeout"):
            dbapi_connection._read_timeout = None  # PyMySQL's; statements have their own limits
        cursor = dbapi_connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        dbapi_connection.commit()


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
