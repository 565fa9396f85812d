"""The engine of a ledger: short waits, real transactions, no password in any message."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from orchestrator.config.redaction import Redactor
from orchestrator.dialects import Fault, Timeouts, dialect_of
from orchestrator.dialects.drivers import sync_components
from orchestrator.dialects.faults import NEXT_STEP, message_of
from orchestrator.errors import UsageError
from orchestrator.fleet.location import Location
from orchestrator.ledger.errors import LedgerLost
from orchestrator.ledger.files import prepare_file

_CONNECT_TIMEOUT = 5
_ANSWER_TIMEOUT = 60
"""Seconds after which a server that is silent is gone: no statement may take as long."""
_TIMEOUTS = Timeouts(lock=10.0, statement=30.0)
_LIBPQ = {
    "connect_timeout": _CONNECT_TIMEOUT,
    "application_name": "orchestrator ledger",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_MYSQL = {
    "pymysql": {
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": _CONNECT_TIMEOUT,  # until the greeting; see _prepare_connections
        "write_timeout": _ANSWER_TIMEOUT,
        "charset": "utf8mb4",
    },
    "mysqldb": {
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": _ANSWER_TIMEOUT,
        "charset": "utf8mb4",
    },
}
_WRITES = "orchestrator_writes"


class Database:
    """Where a ledger is kept: connections to it, and its name for people."""

    def __init__(self, location: Location) -> None:
        if location.backend not in ("sqlite", "postgresql", "mysql", "mariadb"):
            raise UsageError(
                f"a ledger can't be kept in '{location.backend}'; "
                "give project.ledger a URL of SQLite, PostgreSQL, MySQL or MariaDB"
            )
        self.backend = location.backend
        self.dialect = dialect_of(location.backend)
        try:
            url = URL.create(**sync_components(location))
            self.shown = _shown(url)
            self.engine = _engine(url, location)
        except (NoSuchModuleError, ImportError, ArgumentError) as error:
            raise UsageError(f"project.ledger: {error}; install its driver") from None
        self._redact = Redactor(_secrets(location))
        if location.backend == "sqlite":
            prepare_file(location, self.shown)
        self._writing = self.engine.execution_options(**{_WRITES: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads. Raises ``LedgerLost``."""
        with self._told(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes, committed at its end. Raises ``LedgerLost``."""
        with self._told(), self._writing.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection for the one who changes the schema; it begins and commits itself."""
        with self._told(), self._writing.connect() as connection:
            yield connection

    def fault(self, error: SQLAlchemyError) -> Fault:
        """What kind of error the database reported."""
        if isinstance(error, DBAPIError) and error.orig is not None:
            return self.dialect.fault(error.orig)
        return Fault.OTHER

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def lost(self, error: SQLAlchemyError) -> LedgerLost:
        """Say what the database reported, without a password."""
        fault = self.fault(error)
        cause = (
            message_of(error.orig) if isinstance(error, DBAPIError) and error.orig else str(error)
        )
        step = NEXT_STEP.get(fault, "look at the ledger's database, then try again")
        return LedgerLost(f"the ledger at {self.shown}: {self._redact(cause)}; {step}", fault)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self.lost(error) from None


def _engine(url: URL, location: Location) -> Engine:
    # A server may have been restarted since a connection was last used.
    options: dict[str, Any] = {"pool_pre_ping": location.backend != "sqlite"}
    if location.backend in ("mysql", "mariadb"):
        # Its default locks the gaps between rows, where other runs write theirs.
        options["isolation_level"] = "READ COMMITTED"
    engine = create_engine(url, connect_args=_arguments(url), **options)
    _prepare_connections(engine, _statements(location))
    if location.backend == "sqlite":
        _begin_for_real(engine)
    return engine


def _arguments(url: URL) -> dict[str, Any]:
    driver = url.get_driver_name()
    given: dict[str, Any] = dict(_MYSQL.get(driver, {}))
    if driver in ("psycopg", "psycopg2"):
        given = dict(_LIBPQ)
    if driver == "psycopg":
        given["prepare_threshold"] = None  # a pooler may swap the connection behind it
    return {name: value for name, value in given.items() if name not in url.query}


def _statements(location: Location) -> Sequence[str]:
    statements = dialect_of(location.backend).on_connect(
        _TIMEOUTS, location.schema, "orchestrator ledger"
    )
    if location.backend == "sqlite":
        return (*statements, "PRAGMA synchronous = FULL")
    if location.backend == "postgresql":
        return statements
    # Otherwise the server may cut what is too long, and say nothing.
    return (*statements, "SET SESSION sql_mode = 'STRICT_ALL_TABLES'")


def _prepare_connections(engine: Engine, statements: Sequence[str]) -> None:
    # First in line: SQLAlchemy's own first-connect asks for settings that these change.
    @event.listens_for(engine, "connect", insert=True)
    def connect(dbapi_connection: Any, _record: Any) -> None:
        if engine.dialect.name == "sqlite":
            dbapi_connection.isolation_level = None
        if engine.dialect.driver == "pymysql" and "read_timeout" not in engine.url.query:
            dbapi_connection._read_timeout = _ANSWER_TIMEOUT
        cursor = dbapi_connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        dbapi_connection.commit()


def _begin_for_real(engine: Engine) -> None:
    # Python's sqlite3 would begin at the first write, with a lock that can't always be had then.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _shown(url: URL) -> str:
    plain = url.set(query={}).render_as_string(hide_password=True)
    return f"{plain}?…" if url.query else plain


def _secrets(location: Location) -> Iterator[str]:
    if location.password:
        yield location.password
    for name, value in location.query.items():
        if "pass" in name.lower() or "pwd" in name.lower():
            yield from (value,) if isinstance(value, str) else value
