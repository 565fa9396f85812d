"""revision and history."""

import pytest

from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE
from tests.servers import unique

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("items", metadata, sa.Column("id", sa.Integer, primary_key=True),
         sa.Column("note", sa.String(50)))
"""


@pytest.fixture
def authored(fleet: Fleet) -> Fleet:
    """A fleet whose model has a column that its one revision does not make."""
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE)
    (fleet.project.folder / "models.py").write_text(MODELS)
    lines = '[databases.app]\nmetadata = "models:metadata"\n'
    if fleet.server is not None:
        scratch = unique("scratch")
        fleet.server.create(scratch)
        fleet.project.environ["SCRATCH_URL"] = fleet.server.url(scratch)
        lines += 'scratch = "${env:SCRATCH_URL}"\n'
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text().replace("[databases.app]\n", lines))
    return fleet


def test_a_revision_is_written_against_a_scratch_database_and_upgrades(authored: Fleet):
    shop = authored.project

    written = shop.run("revision", "app", "-m", "add note", "-o", "json").json

    text = (shop.folder / written["path"]).read_text()
    assert "op.add_column('items', sa.Column('note', sa.String(length=50)" in text
    assert "down_revision = 'a1'" in text
    assert not (shop.folder / "var").exists(), "no target was touched"
    shop.run("upgrade")
    assert set(shop.run("check", "-o", "json").states().values()) == {"in_sync"}
    nothing = shop.run("revision", "app", "-m", "again", "-o", "json").json
    assert nothing["path"] is None
    assert len(list((shop.folder / "migrations/app/versions").glob("*.py"))) == 2


def test_an_empty_revision_needs_no_database(authored: Fleet):
    shop = authored.project
    shop.environ.pop("SCRATCH_URL", None)

    written = shop.run("revision", "app", "-m", "by hand", "--empty", "-o", "json").json

    text = (shop.folder / written["path"]).read_text()
    assert "by hand" in text
    assert "def upgrade():\n    pass" in text


def test_history_counts_where_targets_stand(authored: Fleet):
    shop = authored.project
    shop.run("revision", "app", "-m", "add note")
    shop.run("upgrade", "prod/app/t000", "--revision", "a1")
    shop.run("upgrade", "prod/app/t001")

    told = shop.run("history", "app", "-o", "json").json

    newest, oldest = told["revisions"]
    assert oldest["id"] == "a1"
    assert newest["message"] == "add note"
    assert newest["standing"] == oldest["standing"] == {"prod": 1}


def test_a_revision_that_can_not_be_written_says_why(authored: Fleet):
    shop = authored.project
    shop.revision("b2", "a1", 'raise RuntimeError("no such luck")')

    ran = shop.run("revision", "app", "-m", "add note", code=3)

    assert "no such luck" in ran.err
    assert len(list((shop.folder / "migrations/app/versions").glob("*.py"))) == 2


ONLY_THERE = {
    "postgres": "CREATE TABLE items (id serial PRIMARY KEY, tags int[] DEFAULT '{}'::int[])",
    "mysql": "CREATE TABLE items (id int AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB",
    "mariadb": "CREATE TABLE items (id int AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB",
}


@pytest.mark.parametrize("kind", ONLY_THERE)
def test_one_scratch_database_for_all_of_a_kind(kind: str, new_fleet):
    fleet: Fleet = new_fleet(kind)
    fleet.declare(1)
    shop = fleet.project
    shop.revision("a1", None, f"op.execute({ONLY_THERE[kind]!r})")
    (shop.folder / "models.py").write_text(MODELS)
    path = shop.folder / "environments.toml"
    with_model = '[databases.app]\nmetadata = "models:metadata"\n'
    path.write_text(path.read_text().replace("[databases.app]\n", with_model))

    ran = shop.run("revision", "app", "-m", "add note", code=3)

    dialect = {"postgres": "postgresql"}.get(kind, "mysql")
    assert "is SQLite, and the targets of app are on" in " ".join(ran.err.split()), ran
    assert f"[project.scratch] {dialect} = " in ran.err, ran
    assert 'near "' in ran.err or "unrecognized token" in ran.err, ran

    name = unique("scratch")
    with fleet.server.databases(f"{name}_app"):
        url = fleet.url.partition(fleet.prefix)[0] + name + "_{database}"
        scratch = f"\n[project.scratch]\n{dialect} = '{url}'\n[databases.app]\n"
        path.write_text(path.read_text().replace("\n[databases.app]\n", scratch))
        for _ in range(2):
            written = shop.run("revision", "app", "-m", "add note", "-o", "json").json
            text = (shop.folder / written["path"]).read_text()
            assert "op.add_column('items', sa.Column('note'" in text
            (shop.folder / written["path"]).unlink()
        assert fleet.server.execute("SELECT version_num FROM alembic_version", f"{name}_app")


def test_a_scratch_database_of_another_kind_is_a_mistake(project):
    project.config(
        """
        [project]
        name = "shop"
        [project.scratch]
        postgresql = "mysql+pymysql://me@localhost/scratch"
        [databases.app]
        script_location = "migrations/app"
        [environments.prod]
        url = "sqlite:///app.db"
        """
    )
    project.scripts()

    ran = project.run("config", "check", code=2)

    assert "a scratch database for postgresql is on mysql" in ran.err
