"""SQLite: a file; its lock is a file beside it, held by a process."""

import sqlite3
from collections.abc import Sequence

from orchestrator.dialects.base import Fault, Timeouts


class SQLite:
    """SQLite, with DDL in real transactions (the worker begins them itself)."""

    transactional_ddl = True

    def on_connect(self, timeouts: Timeouts, schema: str | None, label: str) -> Sequence[str]:  # noqa: ARG002 - a file has neither
        """How long to wait for other writers."""
        return (f"PRAGMA busy_timeout = {round(timeouts.lock * 1000)}",)

    def greeting(self) -> None:
        """A file says nothing."""

    def use_schema(self, schema: str) -> None:
        """There is none."""

    def lock_key(self) -> None:
        """A lock file instead."""

    def acquire(self, key: str, timeouts: Timeouts) -> str:
        """Never asked."""
        raise NotImplementedError

    def held(self, key: str) -> str:
        """Never asked."""
        raise NotImplementedError

    def holder(self, key: str) -> str:
        """Never asked."""
        raise NotImplementedError

    def left_behind(self, statement: str) -> None:
        """Nothing: a statement that fails is taken back whole."""

    def fault(self, error: BaseException) -> Fault:
        """By SQLite's result code."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return Fault.LOCK_WAIT
        if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
            return Fault.NO_FILE
        if code == sqlite3.SQLITE_NOTADB:
            return Fault.NOT_A_DATABASE
        if code == sqlite3.SQLITE_FULL:
            return Fault.DISK
        if code == sqlite3.SQLITE_NOMEM:
            return Fault.MEMORY
        if code == sqlite3.SQLITE_ERROR and str(error).startswith("no such table"):
            return Fault.NO_TABLE
        if code == sqlite3.SQLITE_ERROR and ("already exists" in str(error)):
            return Fault.EXISTS
        return Fault.OTHER
