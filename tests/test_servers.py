"""The test servers themselves: what other tests rely on."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.servers import (
    PASSWORD,
    PgBouncer,
    Postgres,
    Server,
    ServerError,
    find,
    unique,
)
from tests.shared_servers import AnyServer

KINDS = ["mariadb", "mysql", "postgres"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_url_of_a_database_works(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(kind)
    with server.databases(unique("shop"), unique("shop")) as names:
        for name in names:
            engine = create_engine(server.url(name))
            current = "current_database()" if kind == "postgres" else "database()"
            with engine.connect() as connection:
                assert connection.execute(text(f"SELECT {current}")).scalar() == name
            engine.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_dropped_under_its_users(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(kind)
    name = unique("shop")
    server.create(name)
    connection = server.connect(name)
    server.drop(name, name)
    connection.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_keeps_what_was_committed(
    kind: str, request: pytest.FixtureRequest
) -> None:
    start: Callable[..., AnyServer] = request.getfixturevalue(f"private_{kind}")
    server = start()
    before, port = server.pid, server.port
    server.create("shop")
    server.execute_all(["CREATE TABLE t (x int)", "INSERT INTO t VALUES (42)"], "shop")
    server.kill()
    with pytest.raises(Exception, match=r"(?i)connect"):
        server.execute("SELECT 1")
    server.restart()
    assert server.execute("SELECT x FROM t", "shop") == [(42,)]
    assert (server.port, server.password) == (port, PASSWORD)
    assert server.pid != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_password_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(kind)
    wrong = type(server)(server.host, server.port, server.user, "wrong")
    with pytest.raises(Exception, match=r"(?i)password"):
        wrong.execute("SELECT 1")


def test_pgbouncer_swaps_sessions_only_in_transaction_mode(
    postgres: Postgres, pgbouncer: Callable[..., PgBouncer]
) -> None:
    assert _backends(pgbouncer(postgres, mode="session")) == 1
    assert _backends(pgbouncer(postgres, mode="transaction")) == 2


def _backends(bouncer: PgBouncer) -> int:
    """Count the backends that one client meets while another one holds the first of them."""
    mine, other = bouncer.connect(), bouncer.connect()
    try:
        first = mine.execute("SELECT pg_backend_pid()").fetchone()
        other.execute("BEGIN")
        other.execute("SELECT 1")
        second = mine.execute("SELECT pg_backend_pid()").fetchone()
        return len({first, second})
    finally:
        mine.close()
        other.close()


def test_a_missing_server_names_its_package() -> None:
    with pytest.raises(ServerError, match=r"Install the Debian package some-server"):
        find("no-such-program", "some-server")


@pytest.mark.parametrize("kind", ["MariaDBServer", "MySQLServer", "PostgresServer"])
def test_a_server_ends_with_a_killed_test_session(kind: str, tmp_path: Path) -> None:
    script = f"""
        import os, signal
        from tests.servers import {kind}
        server = {kind}().start()
        print(server.pid, server.folder, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    pid, folder = done.stdout.split()
    subprocess.run(["rm", "-rf", folder], check=True)
    deadline = time.monotonic() + 10
    while _runs(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(int(pid)), done.stderr


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
