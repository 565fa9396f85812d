"""Detects a pooler that swaps server sessions under us: there, a session's lock means nothing."""

import contextlib
import threading
from typing import Any

from sqlalchemy import Connection

from orchestrator.fleet.location import Location
from orchestrator.worker.connection.greeting import greeting_on

_PROBES = 3
_PROBE_SECONDS = 3.0


class TransactionPooling(Exception):
    """The connection goes through a pooler in transaction mode."""


def refuse_transaction_pooling(connection: Connection, location: Location) -> bool:
    """Raise ``TransactionPooling`` where transactions of one connection run on several backends.

    Returns whether there is a pooler at all, which may be reconfigured at any moment.

    On a direct connection the backend's process id in its greeting is the one that libpq was told
    when it connected. Through a pooler the two differ; then we look whether a second connection
    can be given our backend while we are connected, which a pooler in session mode never does.
    """
    info: Any = getattr(connection.connection.dbapi_connection, "info", None)
    promised = getattr(info, "backend_pid", None)
    if location.backend != "postgresql" or promised is None:
        return False
    greeting = greeting_on(connection)
    backend = _backend(connection) if greeting is None else greeting.backend
    if backend == promised:
        return False
    for _ in range(_PROBES):
        if _given_to_another(connection, backend) or _backend(connection) != backend:
            raise TransactionPooling("the connection goes through a pooler in transaction mode")
    return True


def _backend(connection: Connection) -> int:
    pid: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    connection.rollback()
    return pid


def _given_to_another(connection: Connection, backend: int) -> bool:
    """Open a second connection, and tell whether it gets our backend.

    In a thread: a pooler in session mode with no server to spare lets it wait, which is an answer.
    While it holds its transaction open, a pooler that swaps must give us another backend.
    """
    seen: list[int] = []
    answered, release = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=_probe, args=(connection, seen, answered, release), daemon=True
    )
    thread.start()
    answered.wait(_PROBE_SECONDS)
    try:
        return backend in seen or (bool(seen) and _backend(connection) != backend)
    finally:
        release.set()
        thread.join(_PROBE_SECONDS)


def _probe(
    connection: Connection, seen: list[int], answered: threading.Event, release: threading.Event
) -> None:
    dialect = connection.dialect
    arguments, options = dialect.create_connect_args(connection.engine.url)
    with contextlib.suppress(Exception):  # no second connection is to be had: no answer
        other: Any = dialect.connect(*arguments, **{**options, "connect_timeout": 3})
        try:
            cursor = other.cursor()
            cursor.execute("SELECT pg_backend_pid()")
            seen.append(cursor.fetchone()[0])
            answered.set()
            release.wait(_PROBE_SECONDS)
        finally:
            other.close()
    answered.set()
