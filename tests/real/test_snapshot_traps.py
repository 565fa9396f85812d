"""What would make a reading of many targets a lie, a hang or a leak."""

import socket
import sqlite3
import time
from contextlib import closing

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_snapshot import CREATE, TENANTS, env_py, execute, shop
from tests.servers import unique

__all__ = ["shop"]

OLD_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
    "INSERT INTO alembic_version VALUES ('b2')",
)


def test_an_old_version_table_at_head_keeps_no_target_from_its_upgrade(shop: ProjectFolder) -> None:
    """env.py imports what passes another table; its own text says nothing of one."""
    (shop.folder / "elsewhere.py").write_text("OPTIONS = {'version' + '_table': 'versions'}\n")
    env_py(shop, ", **OPTIONS", "from elsewhere import OPTIONS\n")
    shop.run("upgrade")
    shop.revision("b2", "a1", 'op.create_table("b", sa.Column("id", sa.Integer))')
    for tenant in TENANTS:
        execute(shop.folder / f"{tenant}.db", *OLD_TABLE)

    assert set(shop.run("upgrade", "-o", "json").states().values()) == {"done"}
    with closing(sqlite3.connect(shop.folder / "acme.db")) as connection:
        assert connection.execute("SELECT version_num FROM versions").fetchall() == [("b2",)]


def test_a_broken_revision_is_no_success_even_where_all_is_at_head(shop: ProjectFolder) -> None:
    env_py(shop)
    shop.run("upgrade")
    path = shop.folder / "migrations/app/versions/a1.py"
    path.write_text("import nowhere\n" + path.read_text())

    assert set(shop.run("upgrade", "-o", "json", code=3).states().values()) == {"failed"}


def test_heads_one_below_the_other_are_left_to_alembic(shop: ProjectFolder) -> None:
    env_py(shop)
    shop.revision("b2", "a1", 'op.create_table("b", sa.Column("id", sa.Integer))')
    shop.run("upgrade")
    execute(shop.folder / "acme.db", "INSERT INTO alembic_version VALUES ('a1')")

    states = shop.run("upgrade", "-o", "json", code=3).states()

    assert list(states.values()) == ["failed", "unchanged", "unchanged"]


def test_a_secret_in_a_revision_that_can_not_be_loaded_is_not_shown(shop: ProjectFolder) -> None:
    shop.environ["PW"] = "hunter2secret"
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text().replace("x = {", 'x = { password = "${env:PW}",'))
    env_py(shop)
    revision = shop.folder / "migrations/app/versions/a1.py"
    revision.write_text(
        revision.read_text().replace(
            "from alembic import op",
            "import os\nraise RuntimeError('no vault for ' + os.environ['PW'])",
        )
    )

    for command in ("status", "drift", "status -o json", "drift -o json"):
        ran = shop.run(*command.split())
        assert "no vault for ***" in " ".join(ran.out.split())
        assert "hunter2secret" not in ran.out + ran.err


def test_a_null_in_the_version_table_is_told(fleet: Fleet) -> None:
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE, 'op.drop_table("items")')
    fleet.project.run("upgrade")
    fleet.rows("t001", "DROP TABLE alembic_version")
    fleet.rows("t001", "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    fleet.rows("t001", "INSERT INTO alembic_version VALUES (NULL)")

    told = fleet.project.run("status", "-o", "json", code=3).json["targets"]

    assert [t["state"] for t in told] == ["current", "failed"]
    assert told[1]["failure"]["message"] == "its version table holds a NULL"


def test_a_server_that_never_answers_can_be_left_by_ctrl_c_twice(project: ProjectFolder) -> None:
    """It accepts connections, and then is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        project.config(
            f"""
            [project]
            name = "shop"
            [databases.app]
            script_location = "migrations/app"
            [environments.prod]
            url = "postgresql+psycopg://app@127.0.0.1:{port}/{{tenant}}?connect_timeout=600"
            tenants = ["acme", "birch"]
            """
        )
        project.scripts()
        project.revision("a1", None, CREATE)
        started = project.start("status", "-o", "json")
        with silent.accept()[0]:  # it is being read now
            started.interrupt()
            time.sleep(1)
            assert started.process.poll() is None  # it waits for what it began
            started.interrupt()
            told = started.wait(code=130, timeout=30)

    assert set(told.states().values()) == {"not_started"}


def test_nothing_is_left_behind_at_a_pooler(project: ProjectFolder, postgres, pgbouncer) -> None:
    """In transaction mode, the next client gets the session that we had."""
    with postgres.databases(unique("pooled")) as (name,):
        pooler = pgbouncer(postgres)
        project.environ["DATABASE_URL"] = postgres.url(name)
        project.config(
            """
            [project]
            name = "shop"
            [databases.app]
            script_location = "migrations/app"
            [environments.prod]
            url = "${env:DATABASE_URL}"
            """
        )
        project.scripts()
        project.revision("a1", None, CREATE)

        project.run("upgrade")
        project.environ["DATABASE_URL"] = pooler.url(name)

        assert set(project.run("status", "-o", "json").states().values()) == {"current"}

        for setting in ("statement_timeout", "lock_timeout", "search_path", "jit"):
            shown = f"SHOW {setting}"
            assert pooler.execute(shown, name) == postgres.execute(shown, name)


def test_a_version_table_that_targets_would_share_is_no_state_of_any(
    project: ProjectFolder, postgres
) -> None:
    with postgres.databases(unique("shared")) as (name,):
        postgres.execute_all(
            [f"CREATE SCHEMA {tenant}" for tenant in TENANTS]
            + ["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"]
            + ["INSERT INTO alembic_version VALUES ('a1')"],
            name,
        )
        project.environ["DATABASE_URL"] = postgres.url(name)
        project.config(
            """
            [project]
            name = "shop"
            [databases.app]
            script_location = "migrations/app"
            [environments.prod]
            url = "${env:DATABASE_URL}"
            schema = "{tenant}"
            tenants = ["acme", "birch", "cedar"]
            """
        )
        env_py(project, ', version_table_schema="public"')

        for command in ("status", "upgrade", "check"):
            told = project.run(command, "-o", "json", code=3).json["targets"]
            assert {t["state"] for t in told} == {"failed"}, command
            assert all("other targets would share them" in t["failure"]["message"] for t in told)
        assert project.run("drift", "-o", "json", code=3).json["summary"]["unreadable"] == 3


def test_what_was_read_is_believed_for_seconds_only(shop: ProjectFolder) -> None:
    """cedar is at head when the command starts, and sent back while birch migrates."""
    env_py(shop)
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text() + "[environments.prod.rollout]\nmax_parallel = 1\n")
    shop.run("upgrade", "--exclude", "prod/app/birch")
    cedar = shop.folder / "cedar.db"
    sneaky = f"""
        import sqlite3
        if context.get_bind().engine.url.database.endswith("birch.db"):
            other = sqlite3.connect({str(cedar)!r})
            other.execute("DELETE FROM alembic_version")
            other.execute("DROP TABLE items")
            other.commit()
            other.close()
            time.sleep(2.5)
        {CREATE}
    """
    shop.revision("a1", None, sneaky)

    states = shop.run("upgrade", "-o", "json").states()

    assert list(states.values()) == ["unchanged", "done", "done"]


def test_a_baseline_of_another_database_is_refused(project: ProjectFolder) -> None:
    project.config(
        """
        [project]
        name = "shop"
        [databases.app]
        script_location = "migrations/app"
        [databases.other]
        script_location = "migrations/other"
        [environments.dev]
        url = "sqlite:///{database}.db"
        """
    )
    project.scripts()
    project.scripts("other")

    refused = project.run("drift", "dev/app", "--baseline", "dev/other", code=2)

    assert "is of another database" in refused.err
    assert "select targets of other" in refused.err
