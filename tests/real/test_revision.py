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
    fleet.workshop.revision("a1", None, CREATE)
    (fleet.workshop.folder / "models.py").write_text(MODELS)
    lines = '[databases.app]\nmetadata = "models:metadata"\n'
    if fleet.server is not None:
        scratch = unique("scratch")
        fleet.server.create(scratch)
        fleet.workshop.environ["SCRATCH_URL"] = fleet.server.url(scratch)
        lines += 'scratch = "${env:SCRATCH_URL}"\n'
    path = fleet.workshop.folder / "environments.toml"
    path.write_text(path.read_text().replace("[databases.app]\n", lines))
    return fleet


def test_a_revision_is_written_against_a_scratch_database_and_upgrades(authored: Fleet):
    shop = authored.workshop

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
    shop = authored.workshop
    shop.environ.pop("SCRATCH_URL", None)

    written = shop.run("revision", "app", "-m", "by hand", "--empty", "-o", "json").json

    text = (shop.folder / written["path"]).read_text()
    assert "by hand" in text
    assert "def upgrade():\n    pass" in text


def test_history_counts_where_targets_stand(authored: Fleet):
    shop = authored.workshop
    shop.run("revision", "app", "-m", "add note")
    shop.run("upgrade", "prod/app/t000", "--revision", "a1")
    shop.run("upgrade", "prod/app/t001")

    told = shop.run("history", "app", "-o", "json").json

    newest, oldest = told["revisions"]
    assert oldest["id"] == "a1"
    assert newest["message"] == "add note"
    assert newest["standing"] == oldest["standing"] == {"prod": 1}


def test_a_revision_that_can_not_be_written_says_why(authored: Fleet):
    shop = authored.workshop
    shop.revision("b2", "a1", 'raise RuntimeError("no such luck")')

    ran = shop.run("revision", "app", "-m", "add note", code=3)

    assert "no such luck" in ran.err
    assert len(list((shop.folder / "migrations/app/versions").glob("*.py"))) == 2
