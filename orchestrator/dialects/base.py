"""What every dialect answers, as SQL or data; nothing here executes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Fault(StrEnum):
    """What kind of error a database reported."""

    UNREACHABLE = "unreachable"  # no connection could be made; may go better next time
    REFUSED = "refused"  # wrong password, no right: won't go better
    DENIED = "denied"  # signed in, and has no right to do this
    NO_FILE = "no_file"  # SQLite: there is no such folder, or no right to the file
    NOT_A_DATABASE = "not_a_database"  # SQLite: the file is something else
    NO_CRYPTOGRAPHY = "no_cryptography"  # the driver lacks what signing in needs
    MISSING = "missing"  # no such database
    EXISTS = "exists"  # what the statement makes is there, or what it drops is gone
    NO_TABLE = "no_table"  # the statement names a table that is not there
    LOCK_WAIT = "lock_wait"
    DEADLOCK = "deadlock"
    STATEMENT_TIMEOUT = "statement_timeout"
    CONNECTIONS = "connections"  # the server, or this user, may have no more of them
    MEMORY = "memory"  # the server has no more for this: for locks, for sorting
    DISK = "disk"  # the server's disk, or what a table may have of it, is full
    LIMIT = "limit"  # this user has used up what the server allows it in an hour
    LOST = "lost"  # the connection broke while in use
    OTHER = "other"


EXHAUSTED = frozenset({Fault.CONNECTIONS, Fault.MEMORY, Fault.DISK, Fault.LIMIT})
"""The server ran out of something: it is not the revision's fault, and may go better with fewer
targets at once."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of a session, in seconds."""

    lock: float
    statement: float | None = None

    @property
    def lock_seconds(self) -> int:
        """The lock time-out in whole seconds, at least one."""
        return max(1, round(self.lock))


class Dialect(Protocol):
    """What differs between servers."""

    @property
    def transactional_ddl(self) -> bool:
        """Whether a failed revision is rolled back whole."""

    def on_connect(self, timeouts: Timeouts, schema: str | None, label: str) -> Sequence[str]:
        """SQL to run first on a new connection; ``label`` tells who we are where that shows."""

    def greeting(self) -> str | None:
        """SQL for one row of what is to be known as a session begins: the lock's key as by
        ``lock_key``; the default schema; the server's process; not NULL if the database has types
        that a driver must learn; then all else that SQLAlchemy asks a server. ``None``: nothing."""

    def use_schema(self, schema: str) -> str | None:
        """SQL that makes ``schema`` the one that unqualified names are looked up and made in."""

    def lock_key(self) -> str | None:
        """SQL for the key of the lock of the session's database or schema, as one value; NULL
        where there is no such database or schema. ``None``: this dialect locks a file instead."""

    def acquire(self, key: str, timeouts: Timeouts) -> str:
        """SQL that waits for the lock, and returns 1 if it was had."""

    def held(self, key: str) -> str:
        """SQL that returns a number above 0 while this very session holds the lock."""

    def holder(self, key: str) -> str:
        """SQL that describes who holds the lock, as one value; no row where it can't be told."""

    def left_behind(self, statement: str) -> str | None:
        """SQL for what a statement that failed leaves in the session's schema all the same: the
        name of each thing, and the statement that removes it. ``None`` where it leaves nothing."""

    def fault(self, error: BaseException) -> Fault:
        """The kind of a DBAPI error."""
