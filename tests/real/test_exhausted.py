"""A server that runs out of something is given fewer targets at once, until it bears them."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.servers import MariaDB, Postgres, PostgresServer, Server, unique

FEWER = re.compile(r"^fewer +at most \d targets? at once on (mysql|postgresql)", re.MULTILINE)
_SMALL = ("--max_locks_per_transaction=10", "--max_connections=30")
CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))\n'
SLOW = """
op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))
if op.get_bind().dialect.name == "postgresql":
    op.execute("SELECT pg_sleep(0.5)")
else:
    op.execute("DO SLEEP(0.5)")
"""
MANY_LOCKS = """
for n in range(150):
    op.execute(f"CREATE TABLE t{n} (id int primary key)")
op.execute("SELECT pg_sleep(0.5)")
"""
TOO_MANY_LOCKS = """
for n in range({many}):
    op.execute(f"CREATE TABLE t{n} (id int primary key)")
"""


@pytest.fixture(params=["mariadb", "mysql", "postgres"])
def limited(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server]]:
    """A server as seen by a user who may have only few connections at once."""
    admin: Server = request.getfixturevalue(request.param)
    name = unique("few")
    if isinstance(admin, Postgres):
        made = [f"CREATE ROLE {name} LOGIN PASSWORD 'pw-few' CONNECTION LIMIT 3 CREATEDB"]
        ends = [f"DROP ROLE {name}"]
    else:
        made = [
            f"CREATE USER {name} IDENTIFIED BY 'pw-few' WITH MAX_USER_CONNECTIONS 3",
            f"GRANT ALL ON *.* TO {name}",
        ]
        ends = [f"DROP USER {name}"]
    for sql in made:
        admin.execute(sql)
    kind = Postgres if isinstance(admin, Postgres) else MariaDB
    yield request.param, kind(admin.host, admin.port, name, "pw-few")
    for sql in ends:
        admin.execute(sql)


def test_a_user_who_may_have_few_connections(
    limited: tuple[str, Server], new_fleet: Callable[[str, Server], Fleet]
) -> None:
    fleet = new_fleet(*limited)
    fleet.declare(8, max_parallel=8, max_per_server=8)
    fleet.project.revision("a1", None, SLOW)

    ran = fleet.project.run("upgrade")

    assert "8 done" in ran.out
    assert FEWER.search(ran.err), ran
    assert "8 current" in fleet.project.run("status").out


@pytest.fixture(scope="module")
def small() -> Iterator[PostgresServer]:
    """A PostgreSQL that holds few locks."""
    with closing(PostgresServer(*_SMALL)) as server:
        yield server.start()


def test_a_server_with_too_little_memory_for_the_locks_of_all(
    small: PostgresServer, new_fleet: Callable[[str, Server], Fleet]
) -> None:
    fleet = new_fleet("postgres", small)
    fleet.declare(6, max_parallel=6, max_per_server=6)
    fleet.project.revision("a1", None, MANY_LOCKS)

    ran = fleet.project.run("upgrade")

    assert "6 done" in ran.out
    assert FEWER.search(ran.err), ran


def test_what_the_server_bears_for_nobody_is_told_once_with_its_setting(
    small: PostgresServer, new_fleet: Callable[[str, Server], Fleet]
) -> None:
    fleet = new_fleet("postgres", small)
    fleet.declare(3, max_failures=3, max_parallel=3, retries=1)
    many = "hash(str(op.get_bind().engine.url)) % 50 + 2000"
    fleet.project.revision("a1", None, TOO_MANY_LOCKS.replace("{many}", many))

    ran = fleet.project.run("upgrade", code=3)

    assert ran.out.count("out of shared memory") == 1, ran.out
    assert "max_locks_per_transaction" in ran.out
    assert "max_per_server" in ran.out
    assert "fix revision" not in ran.out


def unprivileged(processes: int) -> list[str]:
    """A command's beginning: a user of its own who may have only so many processes and threads."""
    limit = ["prlimit", f"--nproc={processes}"]
    if os.getuid() != 0:
        return limit
    # Limits of processes don't bind root. What is root's alone stays readable.
    rights = "+dac_override,+dac_read_search"
    user = str(40_000 + os.getpid() % 20_000)
    as_user = ["setpriv", f"--reuid={user}", "--clear-groups", f"--inh-caps={rights}"]
    return [*as_user, f"--ambient-caps={rights}", *limit]


@pytest.fixture
def folder_for_all() -> Iterator[Path]:
    """A folder that every user may write to; those of pytest are ours alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.parametrize("processes", [9, 14])
def test_few_processes_end_no_run(processes: int, folder_for_all: Path) -> None:
    fleet = Fleet("sqlite", ProjectFolder(folder_for_all), None)
    fleet.declare(30, max_parallel=30, max_per_server=30)
    shop = fleet.project
    shop.revision("a1", None, CREATE + 'time.sleep(0.3)\nop.execute("SELECT 1")')
    program = [*unprivileged(processes), str(shop.program)]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*program, *arguments]
        return subprocess.run(
            command, cwd=shop.folder, capture_output=True, text=True, timeout=120, check=False
        )

    ran = run("upgrade")
    tries = 0
    while ran.returncode == 6 and tries < 20:
        ran, tries = run("resume"), tries + 1

    assert ran.returncode == 0, ran
    for text in (ran.stdout, ran.stderr):
        assert "Traceback" not in text
        assert "internal error" not in text
    assert "at once on this machine" in ran.stderr
    assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)
