"""The main job on real databases."""

import pytest

from tests.real.conftest import Fleet

CREATE_ITEMS = """
op.create_table(
    "items", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(50))
)
op.bulk_insert(sa.table("items", sa.column("name", sa.String)), [{"name": "first"}])
"""
ADD_PRICE = """
op.add_column("items", sa.Column("price", sa.Integer, server_default="0"))
op.create_index("ix_items_name", "items", ["name"])
"""
DROP_PRICE = """
op.drop_index("ix_items_name", "items")
with op.batch_alter_table("items") as t:
    t.drop_column("price")
"""
COUNT = """
op.create_table("counter", sa.Column("n", sa.Integer))
op.execute("INSERT INTO counter SELECT id FROM items")
"""


def three_revisions(fleet: Fleet) -> None:
    shop = fleet.project
    shop.revision("a1", None, CREATE_ITEMS, 'op.drop_table("items")', message="create items")
    shop.revision("b2", "a1", ADD_PRICE, DROP_PRICE, message="add price")
    shop.revision("c3", "b2", COUNT, 'op.drop_table("counter")', message="count items")


@pytest.mark.parametrize(
    ("kind", "count"), [("sqlite", 200), ("mariadb", 60), ("mysql", 40), ("postgres", 60)]
)
def test_all_targets_are_truly_at_head_with_the_right_tables(new_fleet, kind, count):
    fleet = new_fleet(kind)
    fleet.declare(count, max_parallel=8, max_per_server=8)
    three_revisions(fleet)

    ran = fleet.project.run("upgrade", "-o", "json")

    assert set(ran.states().values()) == {"done"}
    assert len(ran.states()) == count
    for tenant in fleet.tenants:
        assert fleet.heads(tenant) == ["c3"]
        assert fleet.tables(tenant) == {"alembic_version", "items", "counter"}
        assert fleet.rows(tenant, "SELECT count(*) FROM counter") == [(1,)]
    assert fleet.project.run("status", "-o", "json").states() == dict.fromkeys(
        ran.states(), "current"
    )
    again = fleet.project.run("upgrade", "-o", "json")
    assert set(again.states().values()) == {"unchanged"}


def test_up_and_down_and_up_again(fleet: Fleet):
    fleet.declare(2)
    three_revisions(fleet)
    run = fleet.project.run

    run("upgrade", "--revision", "+2")
    assert fleet.heads("t001") == ["b2"]
    assert set(run("status", "-o", "json").states().values()) == {"behind"}
    run("upgrade")
    run("downgrade", "prod", "--revision", "-1", "--yes")
    assert fleet.heads("t001") == ["b2"]
    assert "counter" not in fleet.tables("t001")
    run("downgrade", "prod", "--revision", "base", "--yes")
    assert fleet.heads("t001") == []
    assert fleet.tables("t001") == {"alembic_version"}
    run("upgrade", "prod/app/t001")
    assert fleet.heads("t001") == ["c3"]
    assert fleet.heads("t000") == []


def test_stamp_writes_the_version_and_runs_nothing(fleet: Fleet):
    fleet.declare(1)
    three_revisions(fleet)

    fleet.project.run("stamp", "prod", "--revision", "b2", "--yes")

    assert fleet.heads("t000") == ["b2"]
    assert fleet.tables("t000") == {"alembic_version"}


def test_dry_run_names_the_revisions_and_changes_nothing(fleet: Fleet):
    fleet.declare(1)
    three_revisions(fleet)
    fleet.project.run("upgrade", "--revision", "a1")

    ran = fleet.project.run("upgrade", "--dry-run", "-o", "json")

    (target,) = ran.json["targets"]
    assert target["state"] == "planned"
    assert [revision["id"] for revision in target["revisions"]] == ["b2", "c3"]
    assert fleet.heads("t000") == ["a1"]


def test_sql_files_bring_a_database_where_upgrade_brings_it(fleet: Fleet, tmp_path):
    fleet.declare(1)
    shop = fleet.project
    shop.revision("a1", None, CREATE_ITEMS)
    shop.revision("b2", "a1", ADD_PRICE)
    shop.run("upgrade", "--revision", "a1")

    shop.run("upgrade", "--sql", "out")

    sql = (tmp_path / "out/prod/app/t000.sql").read_text()
    assert fleet.heads("t000") == ["a1"], "writing the SQL must not run it"
    assert "CREATE TABLE items" not in sql
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    for statement in "\n".join(lines).split(";"):
        if statement.strip() and statement.strip() not in ("BEGIN", "COMMIT"):
            fleet.rows("t000", statement)
    assert fleet.heads("t000") == ["b2"]
    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}


def test_check_tells_in_sync_differs_behind_and_unreachable(fleet: Fleet):
    fleet.declare(4)
    three_revisions(fleet)
    shop = fleet.project
    (shop.folder / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
        "sa.Table('items', metadata, sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('name', sa.String(50)), sa.Column('price', sa.Integer, server_default='0'),"
        " sa.Index('ix_items_name', 'name'))\n"
        "sa.Table('counter', metadata, sa.Column('n', sa.Integer))\n"
    )
    text = (shop.folder / "environments.toml").read_text()
    with_models = text.replace("[databases.app]", '[databases.app]\nmetadata = "models:metadata"')
    (shop.folder / "environments.toml").write_text(with_models)
    shop.run("upgrade")
    fleet.rows("t001", "ALTER TABLE items ADD COLUMN surprise INTEGER")
    shop.run("downgrade", "prod/app/t002", "--revision", "-1", "--yes")
    expected = {"prod/app/t000": "in_sync", "prod/app/t001": "differs", "prod/app/t002": "behind"}

    ran = shop.run("check", "--exclude", "prod/app/t003", "-o", "json", code=4)
    assert ran.states() == expected
    (difference,) = ran.json["targets"][1]["differences"]
    assert difference["kind"] == "remove_column"
    assert difference["text"] == "extra column items.surprise (INTEGER)"
    shop.run("check", "prod/app/t000")

    if fleet.server is not None:
        fleet.server.drop(fleet.database("t003"))
        ran = shop.run("check", "-o", "json", code=3)
        assert ran.states() == {**expected, "prod/app/t003": "unreachable"}
        assert "t003" in ran.json["targets"][3]["failure"]["message"]


def test_a_target_past_the_revision_is_no_success(fleet: Fleet):
    fleet.declare(2)
    three_revisions(fleet)
    run = fleet.project.run
    run("upgrade", "prod/app/t000")
    run("upgrade", "prod/app/t001", "--revision", "b2")

    for more in ([], ["--dry-run"]):
        ran = run("upgrade", "--revision", "b2", *more, "-o", "json", code=3)
        assert ran.states() == {"prod/app/t000": "failed", "prod/app/t001": "unchanged"}
        failure = ran.json["targets"][0]["failure"]
        assert failure["message"] == "it is at c3, past b2; nothing was done"
        assert "orchestrator downgrade prod/app/t000 --revision b2" in failure["next_step"]
    ran = run("downgrade", "prod/app/t001", "--revision", "c3", "--yes", "-o", "json", code=3)
    assert "not a valid downgrade target" in ran.json["targets"][0]["failure"]["message"]
    assert (fleet.heads("t000"), fleet.heads("t001")) == (["c3"], ["b2"])
