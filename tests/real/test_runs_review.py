"""Ways round gates, waves and records that must stay closed, tried with the real command."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder, wait_until

HEAD = """
[project]
name = "{name}"
ledger = "sqlite:///{ledger}"

[databases.app]
script_location = "migrations/app"
"""
PROD = """
[environments.prod]
url = "sqlite:///var/{tenant}.db"
tenants = [{ name = "t0", tier = "internal" }, "t1", "t2"]
"""
CANARY = """
[[environments.prod.rollout.waves]]
name = "canary"
where = { tier = "internal" }
gate = { approval = true }
"""


def table(name: str) -> str:
    """The body of a revision that makes a table."""
    return f"op.create_table({name!r}, sa.Column('id', sa.Integer))"


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    """A project with a canary that somebody must approve, and a revision to be applied."""
    project = ProjectFolder(tmp_path)
    project.config(HEAD.format(name="shop", ledger=".orchestrator/ledger.db") + PROD + CANARY)
    project.scripts()
    project.revision("a1", None, table("one"), "op.drop_table('one')")
    return project


def heads(shop: ProjectFolder, name: str) -> list[str]:
    """What a SQLite target's version table says; nothing where there is none."""
    path = shop.folder / "var" / f"{name}.db"
    if not path.is_file():
        return []
    with closing(sqlite3.connect(path)) as connection:
        try:
            return [row[0] for row in connection.execute("SELECT * FROM alembic_version")]
        except sqlite3.OperationalError:
            return []


def test_each_environment_looks_for_itself_at_what_it_requires(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path)
    environments = "".join(
        f'[environments.{name}]\nurl = "sqlite:///var/{name}.db"\n{requires}\n'
        for name, requires in (
            ("dev", ""),
            ("staging", 'requires = { environment = "dev" }'),
            ("prod", 'requires = { environment = "staging", soak = "24h" }'),
        )
    )
    head = HEAD.format(name="shop", ledger="l.db")
    shop.config(head.replace("\n\n", '\norder = ["dev", "staging", "prod"]\n\n', 1) + environments)
    shop.scripts()
    shop.revision("a1", None, table("one"))
    ran = shop.run("upgrade", code=6)
    assert heads(shop, "staging") == ["a1"], ran
    assert heads(shop, "prod") == []


def test_a_resumed_run_goes_no_further_than_it_began_to_go(shop: ProjectFolder) -> None:
    shop.run("upgrade", code=6)
    shop.revision("a2", "a1", table("two"))
    shop.run("approve", "1")
    refused = shop.run("resume", "1", code=5)
    assert "revision a2 of app is new: the run began without it" in refused.err
    assert (heads(shop, "t1"), heads(shop, "t2")) == ([], [])


def test_a_run_that_waits_goes_no_further_than_it_began_to_go(shop: ProjectFolder) -> None:
    started = shop.start("upgrade", "--wait")
    wait_until(lambda: heads(shop, "t0") == ["a1"])
    shop.revision("a2", "a1", table("two"))
    wait_until(lambda: "waiting" in shop.run("show", "1").out)
    shop.run("approve", "1")
    started.wait(None)
    assert "a2" not in {*heads(shop, "t1"), *heads(shop, "t2")}


def test_a_run_that_waits_runs_nothing_that_was_edited_meanwhile(shop: ProjectFolder) -> None:
    started = shop.start("upgrade", "--wait")
    wait_until(lambda: heads(shop, "t0") == ["a1"])
    wait_until(lambda: "waiting" in shop.run("show", "1").out)
    shop.revision("a1", None, table("edited"))
    shop.run("approve", "1")
    started.wait(None)
    for name in ("t1", "t2"):
        with closing(sqlite3.connect(shop.folder / f"var/{name}.db")) as connection:
            found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert "edited" not in found


def test_what_could_not_be_read_needs_what_is_required_too(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path)
    shop.config(
        HEAD.format(name="shop", ledger="l.db").replace(
            "\n\n", '\norder = ["staging", "prod"]\n\n', 1
        )
        + """
after = ["first"]
[databases.first]
script_location = "migrations/first"
[environments.staging]
url = "sqlite:///var/staging_{database}.db"
[environments.prod]
url = "sqlite:///var/prod_{database}.db"
requires = { environment = "staging" }
"""
    )
    for database in ("app", "first"):
        shop.scripts(database)
    shop.revision("a1", None, table("one"))
    fix = "os.path.isdir('var/prod_app.db') and os.rmdir('var/prod_app.db')"
    shop.revision("f1", None, fix, database="first")
    shop.run("upgrade", "staging/first")
    (shop.folder / "var/prod_app.db").mkdir()
    shop.run("upgrade", "prod", code=None)
    assert heads(shop, "prod_app") == []


def test_a_second_run_does_not_pass_the_gate_of_the_first(shop: ProjectFolder) -> None:
    shop.run("upgrade", code=6)
    second = shop.run("upgrade", code=None)
    assert heads(shop, "t1") == [], second
    assert second.code == 5
    shop.run("abort", "1", "--yes")
    shop.run("upgrade", code=6)
    assert heads(shop, "t1") == []


def test_what_was_rolled_back_is_not_gone_on_with(shop: ProjectFolder) -> None:
    shop.run("upgrade", code=6)
    shop.run("rollback", "1", "--yes")
    assert "run 1 is aborted" in shop.run("resume", "1", code=2).err
    assert heads(shop, "t1") == []


def test_runs_of_another_project_are_left_alone(tmp_path: Path) -> None:
    shops = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shop = ProjectFolder(tmp_path / name)
        config = HEAD.format(name=name, ledger=f"{tmp_path}/ledger.db") + PROD + CANARY
        shop.config(config)
        shop.scripts()
        shop.revision("a1", None, table("one"))
        shops.append(shop)
    one, two = shops
    one.run("upgrade", code=6)
    ran = two.run("resume", "1", code=None)
    assert ran.code in {2, 5}, ran
    for command in (
        ("abort", "1", "--yes"),
        ("approve", "1"),
        ("rollback", "1", "--yes"),
        ("pause", "1"),
    ):
        assert two.run(*command, code=None).code in {2, 5}, command
    assert two.run("skip", "1", "prod/app/t1", "--reason", "x", code=None).code in {2, 5}
    one.run("approve", "1")
    one.run("resume", "1")


def test_a_rollback_goes_no_further_back_than_where_the_run_began(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path)
    shop.config(
        HEAD.format(name="shop", ledger="l.db")
        + """
[environments.prod]
url = "sqlite:///var/prod.db"
[environments.prod.rollout]
lock_timeout = "100ms"
retry_delay = "2s"
"""
    )
    shop.scripts()
    shop.revision("a1", None, table("one"), "op.drop_table('one')")
    shop.run("upgrade")
    shop.revision("a2", "a1", table("two"), "op.drop_table('two')")
    # In the way of the first attempt only: those who plan do but read.
    with closing(sqlite3.connect(shop.folder / "var/prod.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        started = shop.start("upgrade")
        wait_until(lambda: "locked" in started.err)
        other.rollback()
    started.wait()
    assert heads(shop, "prod") == ["a2"]
    shop.run("rollback", "last", "--yes")
    assert heads(shop, "prod") == ["a1"]


def test_a_gate_that_asks_for_long_keeps_nobody_who_pauses(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path)
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    shop.config(
        HEAD.format(name="shop", ledger="l.db")
        + f"""
[environments.prod]
url = "sqlite:///var/prod.db"
[environments.prod.rollout]
gate = {{ query = {{ sql = "{forever}", expect = 1 }} }}
"""
    )
    shop.scripts()
    shop.revision("a1", None, table("one"))
    started = shop.start("upgrade", "--wait")
    try:
        wait_until(lambda: "is through" in started.err)
        shop.run("pause", "last")
        started.wait(6, timeout=60)
    finally:
        started.process.kill()


def test_arguments_of_the_file_are_part_of_a_plan(shop: ProjectFolder) -> None:
    path = shop.folder / "environments.toml"
    text = path.read_text()
    path.write_text(text.replace("[environments.prod]\n", '[environments.prod]\nx = { k = "1" }\n'))
    shop.run("plan", "--out", "p.json")
    path.write_text(path.read_text().replace('k = "1"', 'k = "2"'))
    assert "x of prod's rollout was changed" in shop.run("upgrade", "--plan", "p.json", code=5).err


def test_a_gate_that_another_file_passed_is_not_passed(shop: ProjectFolder) -> None:
    shop.run("upgrade", code=6)
    shop.run("approve", "1")
    shop.revision("a1", None, table("one"), "op.drop_table('one')", message="edited")
    shop.run("resume", "1", code=5)
    shop.revision("a1", None, table("one"), "op.drop_table('one')")
    (shop.folder / "var/t1.db").mkdir()
    shop.run("resume", "1", code=3)
    (shop.folder / "var/t1.db").rmdir()
    shop.revision("a1", None, table("one"), "op.drop_table('one')", message="edited")
    shop.run("upgrade", code=6)
    assert heads(shop, "t1") == []
