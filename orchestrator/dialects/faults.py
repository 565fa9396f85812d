"""What databases report, in words: the cause, and what helps."""

from collections.abc import Mapping

from orchestrator.dialects.base import Fault

NEXT_STEP: Mapping[Fault, str] = {
    Fault.UNREACHABLE: "check that the server is up and can be reached from here",
    Fault.REFUSED: "check the URL, the user's password and its rights",
    Fault.DENIED: (
        "grant the user of the url the right that the message names, or connect as one who has it"
    ),
    Fault.NO_FILE: "check the path in the url, that its folder exists, and who may write there",
    Fault.NOT_A_DATABASE: (
        "the file is no SQLite database, or is encrypted: check the path in the url; "
        "move the file away if it should be a new database"
    ),
    Fault.NO_CRYPTOGRAPHY: (
        "install 'alembic-orchestrator[mysql]', or connect by TLS (ssl_ca=… in the URL), "
        "which needs no such package"
    ),
    Fault.MISSING: "create it first, or let upgrade do so: create = true in its environment",
    Fault.LOCK_WAIT: "find the session that holds the table, or raise lock_timeout",
    Fault.DEADLOCK: "run it again when the database is less busy",
    Fault.STATEMENT_TIMEOUT: "raise statement_timeout, or make the statement cheaper",
    Fault.CONNECTIONS: (
        "raise max_connections of the server or the limit of the user, or lower max_per_server of "
        "the environment"
    ),
    Fault.MEMORY: (
        "raise the server's setting that the message names, as max_locks_per_transaction or "
        "innodb_buffer_pool_size, or lower max_per_server of the environment"
    ),
    Fault.DISK: "make room on the server's disk, or raise what limits the table; then run it again",
    Fault.LIMIT: (
        "raise the user's limit that the message names, lower max_per_server of the environment, "
        "or run it again when the hour is over"
    ),
    Fault.LOST: "check the server's log; run it again once the server is well",
}
NO_SCHEMA_STEP = "create it first, or let upgrade do so: create = true in its environment"
NO_ACCESS = frozenset(
    {
        Fault.UNREACHABLE,
        Fault.REFUSED,
        Fault.NO_FILE,
        Fault.NOT_A_DATABASE,
        Fault.NO_CRYPTOGRAPHY,
        Fault.MISSING,
        Fault.CONNECTIONS,
        Fault.LIMIT,
        Fault.LOST,
    }
)
"""What keeps a target from being read at all."""


def no_schema(name: str | None) -> str:
    """Say that there is no such place."""
    return f"there is no schema or database '{name or 'the database'}'"


def message_of(error: BaseException) -> str:
    """The database's own message: ``(1146, "Table …")`` becomes ``1146: Table …``."""
    if len(error.args) == 2 and isinstance(error.args[0], int):
        return f"{error.args[0]}: {error.args[1]}"
    return str(error).strip()
