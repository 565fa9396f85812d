"""Our one connection to a target: time-outs set, its lock held, and no other in its place."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from orchestrator.dialects import Dialect, Fault, Timeouts, dialect_of
from orchestrator.dialects.faults import no_schema
from orchestrator.fleet.location import Location
from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.connection.aside import ask
from orchestrator.worker.connection.engine import engine_of, openable
from orchestrator.worker.connection.greeting import greeting_on
from orchestrator.worker.connection.lock_file import FileLocked, file_lock
from orchestrator.worker.connection.pooler import refuse_transaction_pooling

_NO_SUCH = frozenset({Fault.NO_TABLE, Fault.MISSING})


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
    place: str | None = None
    """Names the database or schema that unqualified names mean, and the target's lock."""
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
        rows = ask(self.connection, sql)
        return rows[0][0] if rows else None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows, and leave no transaction open, whatever state one was in before."""
        self.connection.rollback()
        found = [tuple(row) for row in self.connection.exec_driver_sql(sql)]
        self.connection.rollback()
        return found

    def heads(self, table: VersionTable) -> tuple[str, ...]:
        """Read the heads from the version table, sorted; empty where there is none."""
        self.connection.rollback()
        name = self.connection.dialect.identifier_preparer.format_table(
            sqlalchemy.table(table.name, schema=table.schema)
        )
        try:
            rows = ask(self.connection, f"SELECT version_num FROM {name}", of_tables=True)  # noqa: S608 - quoted
        except DBAPIError as error:
            if error.orig is None or self.dialect.fault(error.orig) not in _NO_SUCH:
                raise
            return ()
        return tuple(sorted(row[0] for row in rows))

    def assert_there(self) -> None:
        """Raise ``NoSchema`` where there is no such database or schema."""
        if self.dialect.lock_key() is not None and self.place is None:
            what = self.location.schema or self.location.database
            raise NoSchema(no_schema(what))

    def place_of(self, connection: Connection) -> str | None:
        """Ask where unqualified names lead on a connection, in whatever transaction is open."""
        return _asked(connection, self.dialect)

    def end_transaction(self) -> None:
        """Roll back what is open, also where SQLAlchemy believes that nothing is.

        After a COMMIT that failed it does, and what is read then may be gone in the next moment.
        """
        if self.connection.invalidated:
            return
        self.connection.rollback()
        driver = self.connection.connection.dbapi_connection
        with contextlib.suppress(Exception):  # one that is lost is told when it is next used
            if driver is not None:
                driver.rollback()

    def assert_in_place(self, place: str | None) -> None:
        """Raise ``LeftTarget`` unless unqualified names still mean what they meant at ``place``."""
        self._assert_place(self.place_of(self.connection), place)

    def assert_own(self, place: str | None) -> None:
        """Raise ``LostLock`` unless the connection that answers now holds the lock, ``LeftTarget``.

        Asked inside the transaction that is about to change something, so that the answer is
        about the very backend that will do it. Costs one round trip.
        """
        if self.key is None:
            return
        sql = f"SELECT ({self.dialect.held(self.key)}), ({self.dialect.lock_key()})"
        held, now = ask(self.connection, sql)[0]
        if not held:
            raise LostLock("the connection that held the target's lock was lost or swapped")
        self._assert_place(None if now is None else str(now), place)

    def _assert_place(self, now: str | None, place: str | None) -> None:
        if now != place:
            raise LeftTarget(
                "the revision left the session in another schema or database (search_path, USE)"
            )


@contextlib.contextmanager
def open_session(
    location: Location,
    timeouts: Timeouts,
    *,
    write: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> Iterator[Session]:
    """Connect to a target; to one that will be changed (``write``) with its folder made.

    ``arguments``: what the driver is called with besides what the location says.

    Raises ``DBAPIError`` when it can't be reached. Everything is closed on exit, whatever state
    the connection is in.
    """
    dialect = dialect_of(location.backend)
    there = openable(location, write=write)
    engine = engine_of(there, dialect, timeouts, write=write, more=arguments)
    try:
        connection = engine.connect()
        try:
            _stay_connected(connection)
            yield Session(connection, dialect, location, timeouts, _place(connection, dialect))
        finally:
            # A connection that broke raises again when it is closed; the first error is the news.
            with contextlib.suppress(DBAPIError, OSError):
                connection.close()
    finally:
        engine.dispose()


@contextlib.contextmanager
def locked(session: Session) -> Iterator[Session]:
    """Hold the target's lock on the session's own connection. Raises ``Locked``, ``NoSchema``."""
    if session.dialect.lock_key() is None:
        path = Path(os.path.realpath(session.location.file or ""))
        try:
            with file_lock(path.with_name(path.name + ".lock"), session.timeouts.lock):
                yield session
        except FileLocked as error:
            raise Locked(str(error)) from None
        return
    session.assert_there()
    key = str(session.place)
    pooled = refuse_transaction_pooling(session.connection, session.location)
    _acquire(session, key)
    yield replace(session, key=key, pooled=pooled)
    # Nothing to release: the lock goes with the connection, which open_session closes.


def _place(connection: Connection, dialect: Dialect) -> str | None:
    engine = connection.engine
    if engine.dispatch.engine_connect or engine.pool.dispatch.checkout:
        return _asked(connection, dialect)  # somebody has had the connection since its greeting
    greeting = greeting_on(connection)
    return None if greeting is None else greeting.place


def _asked(connection: Connection, dialect: Dialect) -> str | None:
    sql = dialect.lock_key()
    rows = [] if sql is None else ask(connection, sql)
    return None if not rows or rows[0][0] is None else str(rows[0][0])


def _acquire(session: Session, key: str) -> None:
    try:
        had = session.value(session.dialect.acquire(key, session.timeouts))
    except DBAPIError as error:
        session.connection.rollback()
        if error.orig is None or session.dialect.fault(error.orig) is not Fault.LOCK_WAIT:
            raise
        had = 0
    if not had:
        raise Locked(_holder(session, key) or "another connection")


def _holder(session: Session, key: str) -> str | None:
    """Who holds the lock, where that can be told: a server may have done away with what tells."""
    try:
        found = session.value(session.dialect.holder(key))
    except DBAPIError:
        session.connection.rollback()
        return None
    return None if found is None else str(found)


def _stay_connected(connection: Connection) -> None:
    """Refuse every statement once the connection was lost: SQLAlchemy reconnects, but unlocked."""
    own = connection.connection.dbapi_connection
    connection.info["session"] = True

    @event.listens_for(connection.engine, "before_cursor_execute")
    def before(now: Connection, *_: Any) -> None:
        if now is connection and now.connection.dbapi_connection is not own:
            raise LostLock("the connection that held the target's lock was lost")
