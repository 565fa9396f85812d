"""Opening a ledger: made on first use, under a lock, and only where one may be."""

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import OperationalError

from orchestrator.errors import OrchestratorError, Refused, UsageError
from orchestrator.ledger import Ledger
from orchestrator.ledger import schema as ledger_schema
from orchestrator.ledger.connecting import Database
from orchestrator.ledger.tables import metadata
from tests.ledger.conftest import Place, a_run, located
from tests.servers import HOST, PASSWORD, Server, free_port

OPEN = """
import os, sys
from orchestrator.ledger import Ledger
from tests.ledger.conftest import located
location = located(os.environ["LEDGER"])
print("ready", flush=True)
sys.stdin.readline()
with Ledger.open(location) as ledger:
    ledger.runs()
print("alembic" in sys.modules)
"""


_READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM orchestrator_runs")
connection.close()
"""


def _opener(place: Place) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OPEN],
        env={**os.environ, "LEDGER": place.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def test_four_programs_may_open_a_new_ledger_at_once(place: Place) -> None:
    children = [_opener(place) for _ in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate()[0] for child in children]
    assert all(child.returncode == 0 for child in children), "\n".join(said)
    assert place.execute("SELECT version_num FROM orchestrator_version") in (
        [("0003",)],
        (("0003",),),
    )


def test_a_ledger_that_is_at_head_is_opened_without_alembic(place: Place) -> None:
    Ledger.open(place.location).close()
    assert _opener(place).communicate("\n")[0] == "False\n"


def test_the_revisions_make_what_the_program_reads_and_writes(ledger: Ledger, place: Place) -> None:
    engine = create_engine(place.url)
    found = inspect(engine)
    for table in metadata.sorted_tables:
        there = {column["name"]: column for column in found.get_columns(table.name)}
        assert list(there) == [column.name for column in table.columns]
        keys = found.get_pk_constraint(table.name)["constrained_columns"]
        assert keys == [column.name for column in table.primary_key]
        for column in table.columns:
            assert there[column.name]["nullable"] == column.nullable, column
            kind = str(there[column.name]["type"])
            assert "FLOAT" not in kind, column
            assert column.name[-3:] != "_at" or kind.startswith("BIGINT"), column
    assert len(found.get_indexes("orchestrator_attempts")) == 3
    engine.dispose()


@pytest.mark.parametrize("left", [False, True], ids=["as it was", "by a killed program"])
def test_a_ledger_of_an_older_program_is_upgraded(place: Place, *, left: bool) -> None:
    Ledger.open(place.location).close()
    if not left:
        place.execute("ALTER TABLE orchestrator_attempts DROP COLUMN replayed")
    place.execute("UPDATE orchestrator_version SET version_num = '0001'")

    Ledger.open(place.location).close()

    engine = create_engine(place.url)
    assert inspect(engine).get_columns("orchestrator_attempts")[-1]["name"] == "replayed"
    engine.dispose()


def test_a_ledger_that_is_opened_twice_keeps_its_locks(new_place: Callable[[str], Place]) -> None:
    """Whoever is the last to close a ledger takes its write-ahead log away: no one may think that
    they are while somebody has it open."""
    place = new_place("sqlite")
    with Ledger.open(place.location) as ledger:
        assert ledger.runs() == []  # by a connection that stays
        Ledger.open(place.location).close()
        subprocess.run([sys.executable, "-c", _READER, str(place.file)], check=True)
        assert place.file.with_name("ledger.db-wal").exists()
        a_run(ledger)
    with Ledger.open(place.location) as ledger:
        assert len(ledger.runs()) == 1


def test_head_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    folder = Path(ledger_schema.__file__).parent
    assert ScriptDirectory(str(folder)).get_heads() == [ledger_schema.HEAD]


def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(place: Place) -> None:
    Ledger.open(place.location).close()
    place.execute("UPDATE orchestrator_version SET version_num = '0999'")
    with pytest.raises(Refused, match="was written by a newer orchestrator") as refused:
        Ledger.open(place.location)
    assert "upgrade this program" in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert [tuple(row) for row in place.execute("SELECT * FROM orchestrator_version")] == [
        ("0999",)
    ]


def test_what_a_killed_program_left_half_made_is_finished(place: Place) -> None:
    Ledger.open(place.location).close()
    place.execute("DELETE FROM orchestrator_version")
    place.execute("DROP TABLE orchestrator_standings")
    on = " ON orchestrator_targets" if place.url.startswith("mysql") else ""
    place.execute(f"DROP INDEX ix_orchestrator_targets_name{on}")
    with Ledger.open(place.location) as ledger:
        assert ledger.standings("prod", "app") == {}
        assert a_run(ledger) == 1


def test_a_tenants_database_is_no_place_for_a_ledger(place: Place) -> None:
    place.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    with pytest.raises(UsageError, match="looks like a tenant's database") as refused:
        Ledger.open(place.location)
    assert PASSWORD not in str(refused.value)
    engine = create_engine(place.url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_a_sqlite_file_with_other_tables_is_no_place_either(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("sqlite")
    place.execute("CREATE TABLE invoices (id INTEGER)")
    before = place.file.read_bytes()
    with pytest.raises(UsageError, match=r"it has a table 'invoices'; keep the ledger in"):
        Ledger.open(place.location)
    assert place.file.read_bytes() == before


def test_a_server_may_share_a_database_with_other_tables(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("postgres")
    place.execute("CREATE TABLE invoices (id INTEGER)")
    Ledger.open(place.location).close()


def test_the_file_and_its_folder_are_for_the_owner_alone(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("sqlite")
    with Ledger.open(place.location) as ledger:
        a_run(ledger)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in place.file.parent.iterdir()
        }
    modes.pop(".gitignore")
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), 0o600)
    assert stat.S_IMODE(place.file.parent.stat().st_mode) == 0o700
    assert (place.file.parent / ".gitignore").read_text() == "*\n"
    assert place.execute("PRAGMA journal_mode") == [("wal",)]


def test_a_folder_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Ledger.open(located(f"sqlite:///{tmp_path}/ledger.db")).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("oracle://kim:hush-hush@db/x", "a ledger can't be kept in 'oracle'"),
        ("sqlite://", "is gone when the program ends"),
        ("sqlite:///:memory:", "is gone when the program ends"),
        ("mysql+nosuch://kim:hush-hush@db/x", "project.ledger: .*nosuch"),
    ],
)
def test_a_place_where_no_ledger_can_be(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        Ledger.open(located(url))
    assert "hush-hush" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("not a database, but a text that is long enough" * 100)
    with pytest.raises(Refused, match=r"the ledger at sqlite:///.*: file is not a database"):
        Ledger.open(located(f"sqlite:///{tmp_path}/ledger.db"))


def test_a_folder_that_cant_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="can't be opened: Not a directory; fix its rights"):
        Ledger.open(located(f"sqlite:///{tmp_path}/file/x/ledger.db"))


@pytest.mark.parametrize("scheme", ["mysql+pymysql", "postgresql+psycopg"])
def test_a_server_that_is_not_there_is_told_soon_and_without_the_password(scheme: str) -> None:
    began = time.monotonic()
    with pytest.raises(Refused, match=rf"the ledger at {re.escape(scheme)}://kim:\*\*\*@") as told:
        Ledger.open(located(f"{scheme}://kim:hush-hush@{HOST}:{free_port()}/ledger"))
    assert "check that the server is up" in str(told.value)
    assert "hush-hush" not in repr(told.value)
    assert told.value.__cause__ is None
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("scheme", ["mysql+pymysql", "postgresql+psycopg"])
def test_a_server_that_says_nothing_is_told_soon(scheme: str) -> None:
    with socket.create_server((HOST, 0)) as mute:
        port = mute.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(Refused):
            Ledger.open(located(f"{scheme}://kim:hush-hush@{HOST}:{port}/ledger"))
        assert time.monotonic() - began < 8


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_a_wrong_password_is_told_but_not_shown(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(kind)
    url = server.url("nosuch").replace("rd%25%23", "rd-wrong")
    with pytest.raises(OrchestratorError) as told:
        Ledger.open(located(url))
    assert "check the URL, the user's password and its rights" in str(told.value)
    assert "rd-wrong" not in str(told.value)


def test_whoever_comes_second_waits_for_a_long_upgrade(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("mariadb")
    assert place.server is not None
    with closing(place.server.connect(place.database)) as other, ThreadPoolExecutor(1) as pool:
        other.cursor().execute(f"SELECT GET_LOCK({ledger_schema._MYSQL_LOCK}, 0)")
        second = pool.submit(Ledger.open, place.location)
        time.sleep(6)  # longer than it may take a server to answer a new connection
        assert not second.done()
        other.cursor().execute("DO RELEASE_ALL_LOCKS()")
        second.result().close()


def test_a_pooler_before_the_ledger_will_do(
    pgbouncer: Callable[..., Server], new_place: Callable[[str], Place]
) -> None:
    direct = new_place("postgres")
    assert direct.server is not None
    pooled = Place(pgbouncer(direct.server).url(direct.database), direct.server, direct.database)
    with Ledger.open(pooled.location) as ledger:
        assert ledger.run(a_run(ledger)).total == 2


def test_a_database_that_repeats_the_password_is_not_quoted() -> None:
    database = Database(located(f"postgresql+psycopg://kim:hush-hush@{HOST}/ledger"))
    error = OperationalError("SELECT 1", None, Exception("no way for kim with 'hush-hush'"))
    assert "no way for kim with '***'" in str(database.lost(error))
    assert "hush-hush" not in repr(database.lost(error))


def test_a_commit_to_a_file_outlives_the_machine(new_place: Callable[[str], Place]) -> None:
    database = Database(new_place("sqlite").location)
    with database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    database.close()
