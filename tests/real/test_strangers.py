"""What strangers' applications do to a migration tool, each in its smallest form."""

import re

import pytest
import sqlalchemy

from tests.project_folder import ENV_PY, ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_env_py import CONFIGURE, HEAD
from tests.real.test_failures import target

CREATE = "op.create_table('items', sa.Column('id', sa.Integer, primary_key=True))"
NO_DOWNGRADE = '"""one way"""\nfrom alembic import op\nrevision = "r2"\ndown_revision = "r1"\n'


@pytest.fixture
def shop(new_fleet) -> ProjectFolder:
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(2)
    return fleet.project


def failure_of(ran, name: str = "prod/app/t000"):
    return target(ran, name)["failure"]


def test_a_revision_without_downgrade_is_told_before_anything_is_changed(fleet: Fleet):
    fleet.declare(1)
    shop = fleet.project
    shop.revision("r1", None, CREATE, "op.drop_table('items')")
    path = shop.revision("r3", "r2", "pass").with_name("r2.py")
    path.write_text(NO_DOWNGRADE + "def upgrade():\n    op.execute('SELECT 1')\n")

    assert "irreversible" in shop.run("plan").out
    shop.run("upgrade")
    for more in ([], ["--dry-run"]):
        ran = shop.run(
            "downgrade", "prod", "--revision", "base", "-y", "-o", "json", *more, code=None
        )
        assert ran.code == 3, ran
        failure = failure_of(ran)
        assert failure["message"] == (
            f"revision r2 ({path}) has no downgrade(): it can't be reverted"
        )
        assert "write its downgrade()" in failure["next_step"]
        assert fleet.heads("t000") == ["r3"]


ENDS = {
    "exit": ("import sys\nsys.exit(1)\n", "env.py ended the process: SystemExit(1)"),
    "words": ("import sys\nsys.exit('set SHOP_URL')\n", "env.py ended the process: set SHOP_URL"),
    "error": ("import os\nos.environ['SHOP_URL']\n", "KeyError: 'SHOP_URL'"),
}


@pytest.mark.parametrize(("body", "message"), ENDS.values(), ids=ENDS)
def test_an_env_py_that_fails_first_is_named_with_what_helps(shop, body: str, message: str):
    shop.scripts(env_py=body + ENV_PY)
    shop.revision("r1", None, CREATE)

    failure = failure_of(shop.run("upgrade", "-o", "json", code=3))

    assert message in failure["message"]
    assert "migrations/app/env.py:2" in failure["message"]
    assert "configure" in failure["next_step"]
    assert "docs/adopt.md#what-envpy-needs" in failure["next_step"]


def test_what_sql_means_is_not_changed_by_the_driver_that_takes_asyncpgs_place(new_fleet):
    fleet: Fleet = new_fleet("postgres")
    fleet.declare(1)
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text().replace("postgresql+psycopg", "postgresql+asyncpg"))
    fleet.project.revision(
        "r1",
        None,
        "bind = op.get_bind()\n"
        "assert bind.exec_driver_sql(\"select format('%I', 'a')\").scalar() == 'a'\n"
        "assert bind.exec_driver_sql(\"select '100%%'\").scalar() == '100%%'\n"
        "assert bind.execute(sa.text(\"select 5 % 3, '%'\")).one() == (2, '%')\n"
        "assert bind.execute(sa.text(\"select '%' || :a\"), {'a': 'b'}).scalar() == '%b'\n"
        "op.execute(\"COMMENT ON SCHEMA public IS '100%'\")\n" + CREATE,
    )

    fleet.project.run("upgrade")

    assert fleet.rows("t000", "SELECT obj_description('public'::regnamespace)") == [("100%",)]


LOUD = """
import datetime, random
print("\\x1b[37m\\x1b]0;title\\x07", datetime.datetime.now(), random.random(), "\\x1b[0m")
"""


def test_targets_that_failed_of_one_cause_are_one_block(fleet: Fleet):
    fleet.declare(3, max_failures=10)
    fleet.project.scripts(env_py=LOUD + ENV_PY)
    fleet.project.revision(
        "r1",
        None,
        "name = op.get_bind().engine.url.database.rpartition('/')[2].partition('.')[0]\n"
        "op.execute(f'INSERT INTO {name} VALUES (1)')",
    )

    out = fleet.project.run("upgrade", code=3).out

    assert out.count("failed: ") == 1
    assert "failed: 3 targets" in out
    assert out.count("title") == 0
    assert "\x1b" not in out
    assert "of prod/app/t00" in out


def test_output_is_that_of_this_run_alone_and_has_no_colours(shop: ProjectFolder):
    logs = (
        "import logging\nlogging.basicConfig(level='INFO', format='\\x1b[37m%(message)s\\x1b[0m')\n"
    )
    shop.scripts(env_py=logs + ENV_PY)
    shop.revision("r1", None, "raise ValueError('on purpose')")

    output = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["output"]

    assert output.count("Context impl") == 1
    assert "Running upgrade  -> r1" in output
    assert "\x1b" not in output
    assert "[37m" not in output


def test_sql_that_can_not_be_written_names_its_revision_and_what_helps(shop: ProjectFolder):
    shop.revision("r1", None, CREATE)
    shop.revision("r2", "r1", "op.get_bind().execute(sa.text('SELECT 1')).scalar()")

    failure = failure_of(shop.run("upgrade", "--sql", "sql", "-o", "json", code=3))

    assert failure["revision"] == "r2"
    assert "is_offline_mode" in failure["next_step"]


def test_a_history_that_begins_on_tables_of_its_application_says_what_helps(fleet: Fleet):
    fleet.declare(2, max_failures=2)
    fleet.project.revision("r1", None, "op.add_column('users', sa.Column('n', sa.Integer))")

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    step = failure_of(ran)["next_step"]
    assert "if the application makes its tables itself" in step
    assert "orchestrator stamp prod/app/t000" in step


def test_only_the_first_statement_of_a_history_begins_it(shop: ProjectFolder):
    shop.revision("r1", None, CREATE + "\nop.execute('INSERT INTO users VALUES (1)')")

    step = failure_of(shop.run("upgrade", "-o", "json", code=3))["next_step"]

    assert "fix revision r1" in step
    assert "application" not in step


def test_no_warning_of_a_library_is_on_the_terminal(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(2)
    shop = fleet.project
    shop.scripts(env_py=HEAD + CONFIGURE + "run(config.attributes['connection'])")
    shop.revision("r1", None, CREATE + "\nop.execute('CREATE INDEX i ON items (id + 1)')")
    shop.run("upgrade")

    for command in ("check", "drift", "status"):
        assert "Warning" not in shop.run(command, code=None).err


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_without_a_driver_is_what_everybody_means_by_it(new_fleet, scheme: str):
    fleet: Fleet = new_fleet("postgres")
    fleet.declare(2)
    shop = fleet.project
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text().replace("postgresql+psycopg:", f"{scheme}:"))
    shop.revision("r1", None, CREATE)

    shop.run("upgrade")

    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}
    shop.run("check", code=None)
    # SQLAlchemy 2.1 means psycopg, which is installed; 2.0 psycopg2, which is not.
    note = "postgresql:// means psycopg2 here, which is not installed: postgresql+psycopg takes"
    new = tuple(map(int, sqlalchemy.__version__.split(".")[:2])) >= (2, 1)
    checked = shop.run("config", "check")
    assert checked.out.count("note: ") == (0 if new else 1)
    assert new or note in " ".join(checked.out.split())


def test_a_mysql_url_without_a_driver_takes_the_one_that_is_there(new_fleet):
    fleet: Fleet = new_fleet("mariadb")
    fleet.declare(1)
    path = fleet.project.folder / "environments.toml"
    path.write_text(re.sub(r"(mysql|mariadb)\+pymysql:", r"\1:", path.read_text()))
    fleet.project.revision("r1", None, CREATE)

    fleet.project.run("upgrade")

    assert "pymysql takes its place" in " ".join(fleet.project.run("config", "check").out.split())


def test_a_revision_and_one_that_comes_before_it_are_told_as_inconsistent(fleet: Fleet):
    fleet.declare(1)
    shop = fleet.project
    shop.revision("r0", None, CREATE)
    shop.revision("r1", "r0", "op.add_column('items', sa.Column('n', sa.Integer))")
    shop.run("upgrade")
    fleet.rows("t000", "INSERT INTO alembic_version VALUES ('r0')")

    assert shop.run("status", "-o", "json", code=3).states() == {"prod/app/t000": "inconsistent"}
    for command in (["status"], ["check"], ["check", "--every-target"], ["plan"], ["upgrade"]):
        ran = shop.run(*command, code=None)
        assert ran.code in (3, 5), ran
        said = " ".join((ran.out + ran.err).split())
        assert "its version table has r1 and r0 before it" in said
        assert "orchestrator stamp prod/app/t000 --revision r1 --purge" in said

    shop.run("stamp", "prod/app/t000", "--revision", "r1", "--purge", "-y")
    assert fleet.heads("t000") == ["r1"]
    assert "Nothing to do" in shop.run("upgrade").out
