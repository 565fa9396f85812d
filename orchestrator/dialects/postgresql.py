"""PostgreSQL: DDL rolls back; advisory locks of a database, held by a session."""

import re
from collections.abc import Sequence

from orchestrator.dialects.base import Fault, Timeouts

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_FAULTS = {
    "42P01": Fault.NO_TABLE,
    "42P06": Fault.EXISTS,  # schema
    "42P07": Fault.EXISTS,  # table
    "42701": Fault.EXISTS,  # column
    "42710": Fault.EXISTS,  # type, constraint, …
    "55P03": Fault.LOCK_WAIT,
    "40P01": Fault.DEADLOCK,
    "40001": Fault.DEADLOCK,
    "57014": Fault.STATEMENT_TIMEOUT,
    "53300": Fault.CONNECTIONS,
    "53200": Fault.MEMORY,  # most often for locks
    "53100": Fault.DISK,
    "53000": Fault.MEMORY,
    "53400": Fault.MEMORY,  # a limit of the server's settings: temp_file_limit, slots
    "57P03": Fault.UNREACHABLE,  # starting up, shutting down
    "57P01": Fault.LOST,
    "57P02": Fault.LOST,
    "08003": Fault.LOST,
    "08006": Fault.LOST,
    "3D000": Fault.MISSING,
    "28P01": Fault.REFUSED,
    "28000": Fault.REFUSED,
    "42501": Fault.DENIED,
}
# libpq reports what happened before there was a session without an SQLSTATE.
_REFUSED = ("authentication failed", "no password supplied", "no pg_hba.conf")
_NO_MORE_CONNECTIONS = ("too many clients", "too many connections", "connection slots are reserved")
_LOST = (
    "server closed the connection",
    "connection is closed",
    "connection is lost",
    "terminating connection",
)

_CONCURRENTLY = re.compile(
    r"\s*(CREATE\s+(UNIQUE\s+)?INDEX|REINDEX\b.*?)\s+CONCURRENTLY\b", re.IGNORECASE | re.DOTALL
)


class PostgreSQL:
    """PostgreSQL 12 and later."""

    transactional_ddl = True

    def on_connect(self, timeouts: Timeouts, schema: str | None, label: str) -> Sequence[str]:
        """Short waits for locks, who we are, and the schema as the only one on the path.

        Only one: with ``public`` behind it, ``DROP TABLE x`` would fall through to it.
        """
        sql = [
            f"SET lock_timeout = {_milliseconds(timeouts.lock)}",
            f"SET application_name = {_literal(label[:63])}",
        ]
        if timeouts.statement is not None:
            sql.append(f"SET statement_timeout = {_milliseconds(timeouts.statement)}")
        if schema is not None:
            sql.append(self.use_schema(schema))
        return sql

    def greeting(self) -> str:
        """Of types, hstore: its number is another one in each database."""
        return (
            f"SELECT ({self.lock_key()}), current_schema(), pg_backend_pid(),"
            " to_regtype('hstore')::text, version(), current_setting('transaction_isolation'),"
            " current_setting('standard_conforming_strings')"
        )

    def use_schema(self, schema: str) -> str:
        """Nothing else is on the path."""
        return f"SET search_path TO {_identifier(schema)}"

    def lock_key(self) -> str:
        """The schema's name, hashed; advisory locks belong to one database already."""
        return "SELECT hashtextextended('orchestrator:' || current_schema(), 0)"

    def acquire(self, key: str, timeouts: Timeouts) -> str:  # noqa: ARG002 - lock_timeout applies
        """1 when it was had; ``lock_timeout`` raises 55P03."""
        return f"SELECT 1 FROM (SELECT pg_advisory_lock({key})) AS had"

    def held(self, key: str) -> str:
        """How many such locks the backend that answers this query holds."""
        return f"SELECT count(*) FROM pg_locks l WHERE {_is_lock(key)} AND l.pid = pg_backend_pid()"

    def holder(self, key: str) -> str:
        """The backend that holds it."""
        return (
            "SELECT concat('backend ', l.pid, ' of ', a.usename, ' (', a.application_name,"
            " ') from ', coalesce(host(a.client_addr), 'a local socket'), ', ', a.state, ' since ',"
            " to_char(a.state_change, 'YYYY-MM-DD HH24:MI:SS'))"
            f" FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE {_is_lock(key)}"
        )

    def left_behind(self, statement: str) -> str | None:
        """The indexes that a build without a lock began and did not finish.

        https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
        """
        if not _CONCURRENTLY.match(statement):
            return None
        return (
            "SELECT 'INVALID index ' || i.indexrelid::regclass,"
            " 'DROP INDEX CONCURRENTLY ' || i.indexrelid::regclass"
            " FROM pg_catalog.pg_index i"
            " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            " WHERE NOT i.indisvalid AND c.relkind = 'i'"
            " AND c.relnamespace = pg_catalog.current_schema()::regnamespace ORDER BY 1"
        )

    def fault(self, error: BaseException) -> Fault:
        """By SQLSTATE (psycopg 3, psycopg2, asyncpg), else by what libpq says."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if state:
            return _FAULTS.get(state, Fault.UNREACHABLE if state.startswith("08") else Fault.OTHER)
        text = str(error).lower()
        if type(error).__name__ not in {"OperationalError", "ConnectionTimeout", "InterfaceError"}:
            return Fault.OTHER
        if any(words in text for words in _LOST):
            return Fault.LOST
        if any(words in text for words in _NO_MORE_CONNECTIONS):
            return Fault.CONNECTIONS
        if 'database "' in text and "does not exist" in text:
            return Fault.MISSING
        return Fault.REFUSED if any(words in text for words in _REFUSED) else Fault.UNREACHABLE


def _is_lock(key: str) -> str:
    return (
        "l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        f" AND ((l.classid::bigint << 32) | l.objid::bigint) = {key}"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def _milliseconds(seconds: float) -> int:
    """0 would mean no limit, and the server stores 31 bits."""
    return min(max(1, round(seconds * 1000)), 2**31 - 1)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
