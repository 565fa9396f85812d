"""Which revision a schema is at, where the version table does not say or says something else."""

import pytest

from tests.real.conftest import Fleet
from tests.servers import unique

COLUMN = "sa.Column('id', sa.Integer, primary_key=True)"


def declare(fleet: Fleet, count: int) -> None:
    """Three revisions; the last one changes no schema."""
    fleet.declare(count)
    shop = fleet.project
    shop.revision("rev1", None, f"op.create_table('items', {COLUMN})")
    shop.revision("rev2", "rev1", "op.add_column('items', sa.Column('n', sa.Integer))")
    shop.revision("rev3", "rev2", f"op.create_table('more', {COLUMN})")
    shop.revision("rev4", "rev3", "op.execute('UPDATE items SET n = 1')")


def name_scratch(fleet: Fleet) -> None:
    """Name a scratch database where the kind of server needs one."""
    if fleet.server is None:
        return
    url = fleet.url.replace("_{tenant}", "_scratch_{database}")
    key = {"postgres": "postgresql"}.get(fleet.kind, fleet.kind)
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text() + f"[project.scratch]\n{key} = '{url}'\n")


def test_an_emptied_version_table_is_told_with_the_stamp_that_mends_it(fleet: Fleet):
    declare(fleet, 3)
    shop = fleet.project
    shop.run("upgrade", "--revision", "rev1")
    fleet.rows("t000", "DELETE FROM alembic_version")

    for heads_only in ([], ["--heads"]):
        ran = shop.run("status", "-o", "json", *heads_only)
        assert ran.states()["prod/app/t000"] == "unversioned"
    said = " ".join(shop.run("status").out.split())
    assert "unversioned" in said
    assert "its version table is empty, its schema is that of rev1" in said
    assert "next: orchestrator stamp prod/app/t000 --revision rev1" in said
    failed = shop.run("upgrade", "prod/app/t000", code=3).out
    assert "orchestrator identify prod/app/t000" in " ".join(failed.split())

    shop.run("stamp", "prod/app/t000", "--revision", "rev1", "-y")
    assert shop.run("status", "-o", "json").states()["prod/app/t000"] == "behind"


def test_tables_without_a_version_table_are_never_merely_empty(fleet: Fleet):
    declare(fleet, 2)
    fleet.rows("t000", "CREATE TABLE legacy (id INT)") if fleet.server else fleet.project.run(
        "upgrade", "prod/app/t000", "--revision", "rev1"
    )
    if fleet.server is None:
        fleet.rows("t000", "DROP TABLE alembic_version")

    ran = fleet.project.run("status", "-o", "json")

    assert ran.states() == {"prod/app/t000": "unversioned", "prod/app/t001": "empty"}
    said = " ".join(fleet.project.run("status").out.split())
    assert "it has no version table, and tables are in it" in said
    assert "orchestrator identify prod/app/t000" in said


def test_identify_tells_by_siblings(fleet: Fleet):
    declare(fleet, 3)
    shop = fleet.project
    shop.run("upgrade", "--revision", "rev2")
    fleet.rows("t000", "DROP TABLE alembic_version")

    ran = shop.run("identify", "prod/app/t000", "prod/app/t001", "-o", "json", code=4)

    first, second = ran.json["targets"]
    assert (first["state"], second["state"]) == ("unversioned", "behind")
    assert first["fits"] == second["fits"] == [["rev2"]]
    assert first["by"] == "siblings"
    said = " ".join(shop.run("identify", "prod/app/t000", code=4).out.split())
    assert "its schema is that of rev2 (by targets that are there)" in said
    assert "orchestrator stamp prod/app/t000 --revision rev2" in said
    shop.run("identify", "prod/app/t001")


def test_identify_tells_by_the_history_and_leaves_nothing(fleet: Fleet):
    declare(fleet, 1)
    name_scratch(fleet)
    shop = fleet.project
    shop.run("upgrade", "--revision", "rev4")
    fleet.rows("t000", "DELETE FROM alembic_version")
    before = databases(fleet)

    ran = shop.run("identify", "prod/app", "-o", "json", code=4)

    one = ran.json["targets"][0]
    assert one["note"] is None
    assert one["fits"] == [["rev3"], ["rev4"]]
    assert one["by"] == "history"
    assert databases(fleet) == before
    said = " ".join(shop.run("identify", "prod/app", code=4).out.split())
    assert "its schema is that of rev3 or rev4 (by its history)" in said


def test_identify_tells_what_differs_from_the_nearest(fleet: Fleet):
    declare(fleet, 1)
    name_scratch(fleet)
    shop = fleet.project
    shop.run("upgrade", "--revision", "rev3")
    fleet.rows("t000", "ALTER TABLE items ADD COLUMN odd INT")
    fleet.rows("t000", "DELETE FROM alembic_version")

    one = shop.run("identify", "prod/app", "-o", "json", code=4).json["targets"][0]

    assert one["fits"] == []
    assert one["nearest"] in (["rev3"], ["rev4"])
    assert [found["name"] for found in one["drift"]] == ["odd"]
    said = " ".join(shop.run("identify", "prod/app", code=4).out.split())
    assert "fits no revision; the nearest is rev" in said
    assert "extra column items.odd" in said


def test_a_version_table_that_says_too_much_is_found_out(fleet: Fleet):
    declare(fleet, 2)
    shop = fleet.project
    shop.run("upgrade", "prod/app/t000", "--revision", "rev1")
    shop.run("upgrade", "prod/app/t001", "--revision", "rev1")
    fleet.rows("t000", "UPDATE alembic_version SET version_num = 'rev3'")

    said = " ".join(shop.run("identify", "prod/app/t000", code=4).out.split())

    assert "its version table says rev3" in said
    assert "its schema is that of rev1" in said
    assert "orchestrator stamp prod/app/t000 --revision rev1 --purge" in said


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_without_a_scratch_database_it_says_what_it_wants(new_fleet, kind: str):
    fleet: Fleet = new_fleet(kind)
    declare(fleet, 1)
    fleet.project.run("upgrade")
    fleet.rows("t000", "DELETE FROM alembic_version")

    out = fleet.project.run("identify", "prod/app", code=4).out

    assert "[project.scratch]" in out


def test_a_revision_that_fails_on_the_scratch_database_is_told(new_fleet):
    fleet: Fleet = new_fleet("postgres")
    declare(fleet, 1)
    name_scratch(fleet)
    shop = fleet.project
    shop.run("upgrade")
    fleet.rows("t000", "DELETE FROM alembic_version")
    shop.revision(
        "rev2", "rev1", "assert 'scratch' not in str(op.get_bind().engine.url), 'no data'"
    )
    before = databases(fleet)

    out = " ".join(shop.run("identify", "prod/app", code=4).out.split())

    assert "up to before rev2" in out
    assert "no data" in out
    assert databases(fleet) == before


def test_the_targets_of_schemas_are_told_by_the_history_too(new_fleet):
    fleet: Fleet = new_fleet("postgres")
    declare(fleet, 1)
    name_scratch(fleet)
    schema = unique("schema")
    path = fleet.project.folder / "environments.toml"
    path.write_text(
        path.read_text().replace("[environments.prod]", f'[environments.prod]\nschema = "{schema}"')
    )
    fleet.rows("t000", f"CREATE SCHEMA {schema}")
    fleet.project.run("upgrade", "--revision", "rev2")
    fleet.rows("t000", f"DELETE FROM {schema}.alembic_version")

    one = fleet.project.run("identify", "prod/app", "-o", "json", code=4).json["targets"][0]

    assert one["fits"] == [["rev2"]], one


def databases(fleet: Fleet) -> set[str]:
    """The scratch databases of this test."""
    match fleet.kind:
        case "sqlite":
            return {path.name for path in fleet.project.folder.rglob("*.db")}
        case "postgres":
            sql = "SELECT datname FROM pg_database WHERE datname LIKE '%scratch%'"
        case _:
            sql = "SHOW DATABASES LIKE '%scratch%'"
    return {row[0] for row in fleet.rows("t000", sql) if fleet.prefix in row[0]}
