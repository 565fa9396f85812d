"""Fixtures for every test: real servers, started by the session itself and ended with it."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.project_folder import end_started
from tests.servers import MariaDB, MariaDBServer, MySQLServer, PgBouncer, Postgres, PostgresServer
from tests.shared_servers import (
    SHARED,
    SharedServer,
    shared_mariadb,
    shared_mysql,
    shared_postgres,
    shared_variable,
)

_SHARED_SERVERS = pytest.StashKey[list[SharedServer]]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # a process of pytest-xdist: it inherits the addresses
        return
    config.stash[_SHARED_SERVERS] = []
    for name, kind in SHARED.items():
        if not os.environ.get(name):
            server = SharedServer(kind)
            config.stash[_SHARED_SERVERS].append(server)
            os.environ[shared_variable(name)] = server.address


def pytest_collection_finish() -> None:
    # What is here stays: looking through it for garbage took a tenth of some tests' time.
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in config.stash.get(_SHARED_SERVERS, []):
        server.close()


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """A test that fails half-way ends the commands that it started."""
    yield
    end_started()


@pytest.fixture(scope="session")
def mariadb() -> MariaDB:
    """The session's MariaDB server, or what ``ORCHESTRATOR_TEST_MARIADB_URL`` names."""
    return shared_mariadb()


@pytest.fixture(scope="session")
def mysql() -> MariaDB:
    """The session's MySQL server, or what ``ORCHESTRATOR_TEST_MYSQL_URL`` names."""
    return shared_mysql()


@pytest.fixture(params=["mariadb", "mysql"])
def mysql_like(request: pytest.FixtureRequest) -> str:
    """``mariadb`` and ``mysql`` in turn: the servers whose DDL commits by itself."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The session's PostgreSQL server, or what ``ORCHESTRATOR_TEST_POSTGRES_URL`` names."""
    return shared_postgres()


@pytest.fixture
def private_mariadb() -> Iterator[Callable[..., MariaDBServer]]:
    """Start a MariaDB server of the test's own, with extra options, to be killed."""
    with ExitStack() as stack:

        def start(*options: str) -> MariaDBServer:
            server = MariaDBServer(*options)
            stack.callback(server.close)
            return server.start()

        yield start


@pytest.fixture
def private_mysql() -> Iterator[Callable[..., MySQLServer]]:
    """Start a MySQL server of the test's own, with extra options, to be killed."""
    with ExitStack() as stack:

        def start(*options: str) -> MySQLServer:
            server = MySQLServer(*options)
            stack.callback(server.close)
            return server.start()

        yield start


@pytest.fixture
def private_postgres() -> Iterator[Callable[..., PostgresServer]]:
    """Start a PostgreSQL server of the test's own, with extra options, to be killed."""
    with ExitStack() as stack:

        def start(*options: str) -> PostgresServer:
            server = PostgresServer(*options)
            stack.callback(server.close)
            return server.start()

        yield start


@pytest.fixture
def pgbouncer() -> Iterator[Callable[..., PgBouncer]]:
    """Start a PgBouncer before a server: ``pgbouncer(postgres, mode="session")``."""
    with ExitStack() as stack:

        def start(server: Postgres, mode: str = "transaction") -> PgBouncer:
            bouncer = PgBouncer(server, mode)
            stack.callback(bouncer.close)
            return bouncer.start()

        yield start
