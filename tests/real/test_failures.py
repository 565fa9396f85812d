"""What goes wrong on one target is told exactly, and costs no other target anything."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project_folder import wait_until
from tests.real.conftest import Fleet

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
FAIL_ON_T001 = """
op.create_table("half", sa.Column("id", sa.Integer))
op.execute("INSERT INTO half VALUES (7)")
if "t001" in str(op.get_bind().engine.url):
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


def target(ran, name: str) -> dict:
    return next(t for t in ran.json["targets"] if t["name"] == name)


def test_a_failed_statement_names_everything_and_stops_nobody_else(fleet: Fleet):
    fleet.declare(3)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.revision("b2", "a1", FAIL_ON_T001)

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    states = {"prod/app/t000": "done", "prod/app/t001": "failed", "prod/app/t002": "done"}
    assert ran.states() == states
    failure = target(ran, "prod/app/t001")["failure"]
    assert failure["revision"] == "b2"
    assert failure["statement"] == "INSERT INTO nowhere VALUES (1)"
    assert "nowhere" in failure["message"]
    assert failure["next_step"]
    assert fleet.heads("t000") == fleet.heads("t002") == ["b2"]
    if fleet.ddl_commits:
        assert failure["half_applied"] is True
        assert [" ".join(s.split()) for s in failure["executed"]] == [
            "CREATE TABLE half ( id INTEGER )",
        ]
        assert fleet.rows("t001", "SELECT * FROM half") == [], "the INSERT was rolled back"
        assert "half" in fleet.tables("t001"), "MariaDB keeps what it says it keeps"
        assert fleet.heads("t001") == ["a1"]
    else:
        assert failure["half_applied"] is False
        assert failure["executed"] == []
        assert "half" not in fleet.tables("t001")
    if not fleet.ddl_commits:
        text = fleet.project.run("upgrade", "prod/app/t001", code=3)
        assert "INSERT INTO nowhere VALUES (1)" in text.out
        assert "b2" in text.out


HALF_ON_ALL = """
op.create_table("half", sa.Column("id", sa.Integer))
if not op.get_bind().dialect.has_table(op.get_bind(), "fixed"):
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_half_applied_revision_is_not_started_again_before_somebody_looked(
    kind: str, new_fleet: Callable[[str], Fleet]
):
    fleet = new_fleet(kind)
    fleet.declare(2, max_failures=2)
    fleet.project.revision("a1", None, HALF_ON_ALL)

    ran = fleet.project.run("upgrade", code=3)

    assert "next       the server can't roll back DDL" in ran.out.replace("\n", " ")
    assert "orchestrator retry 1 TARGET" in " ".join(ran.out.split()), "one block for both"
    for arguments in (
        ["upgrade"],
        ["downgrade", "prod", "--revision", "base", "-y"],
        ["retry", "1"],
    ):
        refused = fleet.project.run(*arguments, code=None)
        assert refused.code in {2, 5}, refused
        assert "half applied" in refused.err, refused
        assert "orchestrator retry 1 prod/app/t000" in refused.err, refused
        assert fleet.tables("t000") == {"half", "alembic_version"}
    for tenant in ("t000", "t001"):
        fleet.rows(tenant, "DROP TABLE half")
        fleet.rows(tenant, "CREATE TABLE fixed (id INT)")
    fleet.project.run("retry", "1", "prod/app/t000", code=None)
    assert fleet.heads("t000") == ["a1"]
    fleet.project.run("upgrade", code=None)
    assert fleet.rows("t001", "SELECT * FROM alembic_version") == []
    fleet.project.run("stamp", "prod/app/t001", "--revision", "base", "-y")
    fleet.project.run("upgrade")
    assert fleet.heads("t001") == ["a1"]


def test_a_worker_that_is_killed_costs_one_target(fleet: Fleet):
    fleet.declare(4, retries=1, max_failures=1)
    fleet.project.revision(
        "a1",
        None,
        CREATE + '\nif "t001" in str(op.get_bind().engine.url): os.kill(os.getpid(), 9)\n',
    )

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    half = fleet.ddl_commits
    assert ran.states().pop("prod/app/t001") == ("in_doubt" if half else "failed")
    assert list(ran.states().values()).count("done") == 3
    failure = target(ran, "prod/app/t001")["failure"]
    assert "SIGKILL" in failure["message"]
    assert failure["half_applied"] is half
    assert ("items" in fleet.tables("t001")) is half
    # The second one looks what became of the first; where all was rolled back it tries once more.
    assert target(ran, "prod/app/t001")["attempts"] == (2 if half else 3)
    if half:
        assert "prod/app/t001: in doubt since run 1" in fleet.project.run("upgrade", code=5).err
        fleet.project.run("stamp", "prod/app/t001", "--revision", "a1", "--yes")
        fleet.project.run("upgrade")


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("os._exit(7)", "exit code 7"),
        ("time.sleep(60)", "target_timeout"),
        ("os.abort()", "SIGABRT"),
    ],
)
def test_a_worker_that_exits_hangs_or_aborts_costs_one_target(new_fleet, deed, words):
    fleet = new_fleet("sqlite")
    fleet.declare(4, retries=0, target_timeout='"3s"', max_failures=1)
    fleet.project.revision(
        "a1", None, CREATE + f'\nif "t001" in str(op.get_bind().engine.url): {deed}\n'
    )

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    assert ran.states().pop("prod/app/t001") == "failed"
    assert list(ran.states().values()).count("done") == 3
    assert words in target(ran, "prod/app/t001")["failure"]["message"]
    assert "items" not in fleet.tables("t001"), "SQLite rolls back what its process did not commit"


def test_a_worker_that_dies_before_its_first_revision_is_tried_again(new_fleet, tmp_path: Path):
    fleet = new_fleet("sqlite")
    fleet.declare(1, retries=2)
    env_py = (fleet.project.folder / "migrations/app/env.py").read_text()
    (fleet.project.folder / "migrations/app/env.py").write_text(
        f"import os, pathlib\nseen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        # There is a lock only while a run is at work: not while it is planned.
        f"locked = list(pathlib.Path({str(fleet.project.folder)!r}).rglob('*.db.lock'))\n"
        "if locked and not seen.exists():\n    seen.touch()\n    os._exit(1)\n" + env_py
    )
    fleet.project.revision("a1", None, CREATE)

    ran = fleet.project.run("upgrade", "-o", "json")

    assert target(ran, "prod/app/t000")["attempts"] == 2


def test_what_depends_on_a_failed_target_is_blocked(new_fleet):
    fleet = new_fleet("sqlite")
    shop = fleet.project
    shop.config(
        """
        [project]
        name = "shop"
        order = ["dev", "prod"]
        [databases.orders]
        script_location = "migrations/orders"
        after = ["catalog"]
        [databases.catalog]
        script_location = "migrations/catalog"
        [environments.prod]
        url = "sqlite:///var/prod/{tenant}/{database}.db"
        tenants = ["acme"]
        [environments.dev]
        url = "sqlite:///var/dev/{tenant}/{database}.db"
        tenants = ["acme", "birch"]
        """
    )
    for database in ("catalog", "orders"):
        shop.scripts(database)
    shop.revision("a1", None, CREATE, database="orders")
    shop.revision(
        "c1",
        None,
        'if "birch" in str(op.get_bind().engine.url): raise ValueError("no birch")',
        database="catalog",
    )

    ran = shop.run("upgrade", "-o", "json", code=3)

    states = ran.states()
    # It may not have started when its wave was over its budget.
    assert states.pop("dev/orders/acme") in {"done", "not_started"}
    assert states == {
        "dev/catalog/acme": "done",
        "dev/catalog/birch": "failed",
        "dev/orders/birch": "blocked",
        "prod/catalog/acme": "blocked",
        "prod/orders/acme": "blocked",
    }
    assert {t["name"]: t["blocked_by"] for t in ran.json["targets"] if t["blocked_by"]} == {
        "dev/orders/birch": "dev/catalog/birch",
        "prod/catalog/acme": "dev/catalog/birch",
        "prod/orders/acme": "dev/catalog/birch",
    }
    assert "ValueError: no birch" in target(ran, "dev/catalog/birch")["failure"]["message"]
    assert "c1.py:" in target(ran, "dev/catalog/birch")["failure"]["message"]
    assert not (shop.folder / "var/prod").exists()


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_a_wrong_password_is_refused_once_and_never_shown(new_fleet, kind):
    fleet = new_fleet(kind)
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.environ["FLEET_PASSWORD"] = "wr0ng/p@ss:w%rd#"

    for command, state in (
        ("upgrade", "failed"),
        ("status", "unreachable"),
        ("check", "unreachable"),
    ):
        ran = fleet.project.run(command, "-o", "json", code=3)
        assert set(ran.states().values()) == {state}
        # What only reads needs no worker.
        assert target(ran, "prod/app/t000")["attempts"] == (command == "upgrade")
        for text in (ran.out, ran.err, fleet.project.run(command, "--debug", code=3).err):
            assert "wr0ng" not in text
            assert "wr0ng%2Fp%40ss" not in text


def test_a_host_that_does_not_answer_is_tried_again_and_then_told(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1, retries=2)
    fleet.project.revision("a1", None, CREATE)
    path = fleet.project.folder / "environments.toml"
    text = path.read_text().replace(fleet.url, "mysql+pymysql://app@127.0.0.1:1/{tenant}")
    path.write_text(text)

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    told = target(ran, "prod/app/t000")
    assert told["attempts"] == 3
    assert "127.0.0.1" in told["failure"]["message"]
    assert (
        told["failure"]["next_step"] == "check that the server is up and can be reached from here"
    )
    assert fleet.project.run("status", "-o", "json", code=3).states() == {
        "prod/app/t000": "unreachable"
    }


def test_a_revision_with_a_syntax_error_names_its_line(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE)
    path = fleet.project.revision("b2", "a1", "this is no python")

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    line = path.read_text().splitlines().index("    this is no python") + 1
    for told in ran.json["targets"]:
        assert f"b2.py:{line}: invalid syntax" in told["failure"]["message"]


def test_a_revision_that_imports_what_is_missing_names_it(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE, header="import application_that_is_not_there")

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    message = target(ran, "prod/app/t000")["failure"]["message"]
    assert "application_that_is_not_there" in message
    assert "a1.py" in message


def test_a_database_at_a_revision_that_nobody_knows(fleet: Fleet):
    fleet.declare(2)
    path = fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade", "prod/app/t000")
    path.unlink()
    fleet.project.revision("b2", None, CREATE)

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    assert ran.states() == {"prod/app/t000": "failed", "prod/app/t001": "done"}
    failure = target(ran, "prod/app/t000")["failure"]
    assert "'a1'" in failure["message"]
    assert "--purge" in failure["next_step"]
    states = fleet.project.run("status", "-o", "json", code=3).states()
    assert states == {"prod/app/t000": "unknown_revision", "prod/app/t001": "current"}
    fleet.project.run("stamp", "prod/app/t000", "--revision", "b2", "--purge", "--yes")
    assert fleet.heads("t000") == ["b2"]


def test_two_heads(fleet: Fleet):
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.revision("b1", "a1", 'op.create_table("b", sa.Column("id", sa.Integer))')
    fleet.project.revision("b2", "a1", 'op.create_table("c", sa.Column("id", sa.Integer))')

    ran = fleet.project.run("upgrade", "--revision", "head", "-o", "json", code=3)
    failure = target(ran, "prod/app/t000")["failure"]
    assert "Multiple head revisions" in failure["message"]
    assert "--revision heads" in failure["next_step"]

    fleet.project.run("upgrade")
    assert sorted(fleet.heads("t000")) == ["b1", "b2"]
    assert fleet.tables("t000") == {"alembic_version", "items", "b", "c"}
    assert set(fleet.project.run("status", "-o", "json").states().values()) == {"current"}


def test_an_env_py_that_never_commits_is_no_success(fleet: Fleet):
    fleet.declare(1)
    location = fleet.project.scripts(
        env_py="from alembic import context\nfrom sqlalchemy import create_engine\n"
        "url = context.config.get_main_option('sqlalchemy.url')\n"
        "with create_engine(url).connect() as connection:\n"
        "    context.configure(connection=connection, transactional_ddl=True)\n"
        "    context.run_migrations()\n"
    )
    assert location.exists()
    fleet.project.revision("a1", None, CREATE)

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    failure = target(ran, "prod/app/t000")["failure"]
    assert "version table says nothing, not a1" in failure["message"]


def test_a_failed_target_says_which_revisions_stay(fleet: Fleet):
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.revision("b2", "a1", "op.execute('INSERT INTO nowhere VALUES (1)')")

    told = target(fleet.project.run("upgrade", "-o", "json", code=3), "prod/app/t000")

    stays = ["a1"] if fleet.ddl_commits else []  # the others roll all of it back
    assert [revision["id"] for revision in told["revisions"]] == stays
    assert told["heads"] == stays


def test_an_env_py_that_runs_nothing_is_no_success(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.scripts(env_py="pass\n")
    fleet.project.revision("a1", None, CREATE)

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    assert "ran no migrations" in target(ran, "prod/app/t000")["failure"]["message"]


def test_what_a_migration_prints_stays_out_of_the_json(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision(
        "a1", None, 'print("to stdout"); os.system("echo from a subprocess"); ' + CREATE
    )

    ran = fleet.project.run("upgrade", "-o", "json")

    json.loads(ran.out)
    assert "to stdout" not in ran.err


def test_a_secret_that_a_migration_prints_or_raises_is_hidden(new_fleet, mysql_like):
    fleet = new_fleet(mysql_like)
    fleet.declare(1)
    fleet.project.revision(
        "a1",
        None,
        """
        url = op.get_bind().engine.url
        whole = url.render_as_string(hide_password=False)
        print(url.password, whole)
        raise RuntimeError(f"cannot use {url.password} of {whole}")
        """,
    )

    for arguments in (["-o", "json"], [], ["--debug"]):
        ran = fleet.project.run("upgrade", *arguments, code=3)
        assert "cannot use ***" in ran.out + ran.err
        assert fleet.password not in ran.out + ran.err
        assert "p%40ss" not in ran.out + ran.err


def test_the_process_list_shows_no_secret(new_fleet, mysql_like):
    fleet = new_fleet(mysql_like)
    fleet.declare(1)
    fleet.project.revision("a1", None, "time.sleep(3); " + CREATE)
    started = fleet.project.start("upgrade")
    seen: list[str] = []
    while started.process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        time.sleep(0.1)
    started.wait()
    assert any("orchestrator upgrade" in line for line in seen)
    assert not [line for line in seen if "p%40ss" in line or fleet.password in line]


def test_a_server_killed_mid_run_fails_its_targets_and_resumes(
    private_mariadb, private_mysql, new_fleet, mysql_like
):
    server = {"mariadb": private_mariadb, "mysql": private_mysql}[mysql_like]()
    fleet = new_fleet(mysql_like, server)
    fleet.declare(6, max_per_server=3, retries=6, max_failures=6)
    # The kill may fall between a CREATE TABLE and its version row, which MariaDB commits apart.
    again = "op.execute('CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY)')"
    fleet.project.revision("a1", None, again)
    fleet.project.revision("b2", "a1", "time.sleep(1)\nop.execute('SELECT SLEEP(1)')")
    started = fleet.project.start("upgrade", "-o", "json")
    wait_until(lambda: "items" in fleet.tables("t000"))

    server.kill()
    server.restart()

    ran = started.wait(code=None)
    assert ran.code in (0, 3), ran
    for tenant in fleet.tenants:
        told = ran.states()[f"prod/app/{tenant}"]
        assert told in ("done", "failed", "in_doubt"), told
        if told == "done":
            assert fleet.heads(tenant) == ["b2"]
        if told == "in_doubt":  # its first revision may run twice
            fleet.project.run("skip", "1", f"prod/app/{tenant}", "--reason", "it may run twice")
    fleet.project.run("upgrade")
    assert all(fleet.heads(tenant) == ["b2"] for tenant in fleet.tenants)


def test_postgres_killed_mid_run_resumes_by_itself(private_postgres, new_fleet):
    server = private_postgres()
    fleet = new_fleet("postgres", server)
    fleet.declare(6, max_per_server=3, retries=8)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.revision("b2", "a1", "op.execute('SELECT pg_sleep(1)')")
    started = fleet.project.start("upgrade")
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(1)'"
    wait_until(lambda: server.execute(sleeping))

    server.kill()
    server.restart()

    started.wait()
    assert "retry" in started.err
    assert all(fleet.heads(tenant) == ["b2"] for tenant in fleet.tenants)


def test_the_orchestrator_killed_mid_run_leaves_targets_whole(fleet: Fleet):
    fleet.declare(6, max_parallel=2)
    marker = fleet.project.folder / "started"
    fleet.project.revision(
        "a1", None, f"{CREATE}\nopen({str(marker)!r}, 'w').close()\ntime.sleep(0.5)"
    )
    started = fleet.project.start("upgrade")
    wait_until(marker.exists)
    started.kill()

    assert "orchestrator resume 1" in fleet.project.run("upgrade", code=5).err
    fleet.project.run("resume", "1", code=None if fleet.ddl_commits else 0)
    if not fleet.ddl_commits:  # there, what was half applied must be fixed by hand
        assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)


def test_an_error_after_the_last_commit_is_not_told_as_half_applied(fleet: Fleet):
    fleet.declare(1)
    location = fleet.project.scripts()
    (location / "env.py").write_text(
        (location / "env.py").read_text()
        + "if context.get_context().get_current_revision():\n    raise RuntimeError('late')\n"
    )
    fleet.project.revision("a1", None, CREATE)

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    told = target(ran, "prod/app/t000")
    assert told["heads"] == ["a1"]
    assert told["failure"]["revision"] is None
    assert told["failure"]["half_applied"] is False


def test_a_revision_whose_name_has_head_in_it(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision("a1_headers", None, CREATE)
    fleet.project.revision("b2", "a1_headers", "pass")
    fleet.project.run("upgrade")

    ran = fleet.project.run("upgrade", "--revision", "a1_headers", "-o", "json", code=3)

    assert "past a1_headers" in target(ran, "prod/app/t000")["failure"]["message"]
    fleet.project.run("upgrade", "--revision", "a1_headers+1")


def test_an_invalid_index_that_stays_is_listed_with_what_drops_it(new_fleet):
    fleet = new_fleet("postgres")
    fleet.declare(1, retries=3)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    fleet.rows("t000", "INSERT INTO items VALUES (1)")
    fleet.rows("t000", "ALTER TABLE items DROP CONSTRAINT IF EXISTS items_pkey")
    fleet.rows("t000", "INSERT INTO items VALUES (1)")
    index = "CREATE UNIQUE INDEX CONCURRENTLY one ON items (id)"
    block = "with op.get_context().autocommit_block():\n    op.execute({!r})"
    fleet.project.revision("b2", "a1", block.format(index))

    ran = fleet.project.run("upgrade", code=3)

    assert "MySQL" not in ran.out
    assert "INVALID index one" in ran.out
    assert "DROP INDEX CONCURRENTLY one" in ran.out
    fleet.rows("t000", "SELECT 'one'::regclass")
    told = " ".join(fleet.project.run("status").out.split())
    assert "invalid index: 1 target of app prod/app/t000 one: no query uses it" in told
    assert fleet.project.run("status", "-o", "json").json["targets"][0]["invalid_indexes"] == [
        "one"
    ]
    fleet.rows("t000", "DROP INDEX one")
    assert "invalid" not in fleet.project.run("status").out
