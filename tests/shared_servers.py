"""One server for a whole test session, however many processes pytest-xdist runs it in."""

import os
import threading
from multiprocessing.connection import Client, Listener
from typing import Any

from tests.servers import (
    MariaDB,
    MariaDBServer,
    MySQLServer,
    Postgres,
    PostgresServer,
    ServerError,
)

AnyServer = MariaDBServer | MySQLServer | PostgresServer
SHARED: dict[str, type[AnyServer]] = {
    "ORCHESTRATOR_TEST_MARIADB_URL": MariaDBServer,
    "ORCHESTRATOR_TEST_MYSQL_URL": MySQLServer,
    "ORCHESTRATOR_TEST_POSTGRES_URL": PostgresServer,
}


class SharedServer:
    """Starts a server when it is first asked for, and tells every process where it is.

    It lives in the process that pytest was started in. Its thread lives as long as the session,
    because the server ends with the thread that started it.
    """

    def __init__(self, kind: type[AnyServer]) -> None:
        self._kind = kind
        self._listener = Listener(family="AF_UNIX", backlog=64)
        self.address = str(self._listener.address)
        self._server: AnyServer | None = None
        self._answer: str | None = None
        self._thread = threading.Thread(target=self._serve, name=kind.__name__, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server, if it was ever started."""
        ask(self.address, "close")
        self._thread.join()

    def _serve(self) -> None:
        with self._listener:
            while True:
                with self._listener.accept() as connection:
                    try:
                        closing = connection.recv() == "close"
                        answer = self._close() if closing else self._started()
                        connection.send(answer)
                    except (EOFError, OSError):
                        continue  # the process that asked has died
                    if closing:
                        return

    def _started(self) -> str:
        # A failure is kept, too: each test that needs the server then fails at once.
        if self._answer is None:
            try:
                self._server = self._kind()
                self._answer = self._server.start().url()
            except ServerError as error:
                self._answer = f"! {error}"
        return self._answer

    def _close(self) -> str:
        if self._server is not None:
            self._server.close()
        return ""


def ask(address: str, question: str = "url") -> str:
    """Ask a shared server. Raises ``ServerError`` where the server cannot be started."""
    with Client(address, family="AF_UNIX") as connection:
        connection.send(question)
        answer: Any = connection.recv()
    if answer.startswith("! "):
        raise ServerError(answer.removeprefix("! "))
    return str(answer)


def shared_mariadb() -> MariaDB:
    """Return the session's MariaDB server."""
    return MariaDB.at(_url("ORCHESTRATOR_TEST_MARIADB_URL"))


def shared_mysql() -> MariaDB:
    """Return the session's MySQL server."""
    return MariaDB.at(_url("ORCHESTRATOR_TEST_MYSQL_URL"))


def shared_postgres() -> Postgres:
    """Return the session's PostgreSQL server."""
    return Postgres.at(_url("ORCHESTRATOR_TEST_POSTGRES_URL"))


def shared_variable(name: str) -> str:
    """Return the environment variable that holds the address of the server for ``name``."""
    return f"{name}_DESK"


def _url(name: str) -> str:
    return os.environ.get(name) or ask(os.environ[shared_variable(name)])
