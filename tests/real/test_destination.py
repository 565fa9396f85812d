"""``revision`` of a database: where its targets are to be, for every command alike."""

from tests.project_folder import ENV_PY, ProjectFolder
from tests.real.conftest import Fleet

MAIN = "branch_labels = ('main',)"
THEIRS = "branch_labels = ('theirs',)"


def with_two_histories(fleet: Fleet) -> None:
    """A history of ours, and one of other software, which is not to be run."""
    fleet.declare(2)
    shop = fleet.project
    shop.scripts(
        env_py=ENV_PY.replace("metadata = None", "metadata = __import__('sqlalchemy').MetaData()")
    )
    a1 = shop.revision("a1", None, table("ours"), "op.drop_table('ours')")
    shop.revision("a2", "a1", table("more"), "op.drop_table('more')")
    b1 = shop.revision("other1", None, table("theirs"))
    for path, labels in ((a1, MAIN), (b1, THEIRS)):
        path.write_text(path.read_text().replace("branch_labels = None", labels))
    settle(shop, "main@head")


def table(name: str) -> str:
    return f"op.create_table('{name}', sa.Column('id', sa.Integer, primary_key=True))"


def settle(shop: ProjectFolder, revision: str) -> None:
    path = shop.folder / "environments.toml"
    said = f'[databases.app]\nrevision = "{revision}"'
    path.write_text(path.read_text().replace("[databases.app]", said))


def test_every_command_takes_it_for_the_destination(fleet: Fleet):
    with_two_histories(fleet)
    shop = fleet.project

    planned = shop.run("plan", "-o", "json").json
    shop.run("upgrade")

    assert "other1" not in str(planned)
    for tenant in fleet.tenants:
        assert fleet.heads(tenant) == ["a2"]
        assert "theirs" not in fleet.tables(tenant)
    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}
    assert set(shop.run("check", "-o", "json", code=4).states().values()) == {"differs"}
    assert "at head" in shop.run("upgrade").out
    shop.run("drift")
    shop.run("downgrade", "prod", "--revision", "main@a1", "-y")
    assert set(shop.run("status", "-o", "json").states().values()) == {"behind"}
    assert "other1" not in shop.run("upgrade", "--sql", "sql").out
    assert "theirs" not in "".join(path.read_text() for path in shop.folder.rglob("*.sql"))


def test_revision_goes_on_from_it(new_fleet):
    with_two_histories(fleet := new_fleet("sqlite"))
    shop = fleet.project

    shop.run("revision", "app", "-m", "next", "--empty", "--rev-id", "a3")

    assert "down_revision = 'a2'" in next(shop.folder.rglob("a3_*.py")).read_text()


def test_a_target_past_a_pinned_revision_is_never_called_current(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(1)
    shop = fleet.project
    shop.revision("a1", None, table("one"))
    shop.revision("a2", "a1", table("two"))
    shop.run("upgrade")
    settle(shop, "a1")

    for command in (["status"], ["upgrade"], ["check"]):
        ran = shop.run(*command, code=3)
        assert "past a1" in ran.out + ran.err


def test_what_is_no_place_for_all_is_refused(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(1)
    settle(fleet.project, "main@+1")

    error = fleet.project.run("config", "check", code=2).err

    assert "no place where all targets can be" in error
    assert "environments.toml:" in error


def test_an_unknown_one_is_told(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision("a1", None, table("one"))
    settle(fleet.project, "mian@head")

    for command in (["status"], ["upgrade"], ["plan"]):
        ran = fleet.project.run(*command, code=None)
        assert ran.code in (3, 5), ran
        assert "mian" in ran.out + ran.err
