"""What differs between MySQL, MariaDB, PostgreSQL and SQLite, as SQL and data.

Imports what is pure.
Never executes anything: whoever has a connection does.
"""

from orchestrator.dialects.base import EXHAUSTED, Dialect, Fault, Timeouts
from orchestrator.dialects.mysql import MySQL
from orchestrator.dialects.postgresql import PostgreSQL
from orchestrator.dialects.sqlite import SQLite

__all__ = ["EXHAUSTED", "Dialect", "Fault", "Timeouts", "dialect_of"]

BACKENDS = ("mysql", "mariadb", "postgresql", "sqlite")


def dialect_of(backend: str) -> Dialect:
    """Return the dialect of a SQLAlchemy backend name. Raises ``ValueError`` for another one."""
    match backend:
        case "mysql" | "mariadb":
            return MySQL()
        case "postgresql":
            return PostgreSQL()
        case "sqlite":
            return SQLite()
    raise ValueError(f"'{backend}' is not supported; there are {', '.join(BACKENDS)}")
