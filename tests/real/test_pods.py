"""Several pods that start at once, and each upgrades before it serves."""

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder, wait_until
from tests.real.conftest import Fleet
from tests.servers import unique

CREATE = "op.create_table('items', sa.Column('id', sa.Integer, primary_key=True))"
SLOW = (
    "open('begun', 'w').close()\n"
    "while os.path.exists('begun') and not os.path.exists('go'):\n    time.sleep(0.05)\n" + CREATE
)
SECOND = "op.add_column('items', sa.Column('n', sa.Integer))"


def pods(fleet: Fleet, count: int) -> list[ProjectFolder]:
    """The same project in so many folders: a ledger in each, and nothing that connects them."""
    shop = fleet.project
    found = [shop]
    for number in range(1, count):
        folder = shop.folder / f"pod{number}"
        folder.mkdir()
        shutil.copy(shop.folder / "environments.toml", folder)
        shutil.copytree(shop.folder / "migrations", folder / "migrations")
        found.append(ProjectFolder(folder, shop.environ))
    return found


@pytest.fixture
def server(request: pytest.FixtureRequest, new_fleet) -> Fleet:
    """A fleet of one database."""
    fleet: Fleet = new_fleet(request.param)
    fleet.declare(1, lock_timeout='"1s"')
    fleet.project.revision("a1", None, SLOW)
    fleet.project.revision("a2", "a1", SECOND)
    return fleet


SERVERS = pytest.mark.parametrize("server", ["postgres", "mariadb", "mysql"], indirect=True)


@SERVERS
def test_those_that_wait_find_nothing_to_do(server: Fleet):
    first, *others = pods(server, 4)

    begun = [first.start("upgrade", "--wait-for-lock", "5m")]
    wait_until(lambda: (first.folder / "begun").exists())
    begun += [pod.start("upgrade", "--wait-for-lock", "5m") for pod in others]
    wait_until(lambda: all("waiting" in each.err for each in begun[1:]))
    for pod in (first, *others):
        (pod.folder / "go").touch()
    ran = [each.wait(0) for each in begun]

    assert server.heads("t000") == ["a2"]
    assert sum(each.err.count("waiting  ") for each in ran) == 3  # once each
    assert all("locked by" in each.err for each in ran[1:]), ran
    assert sum("done" in each.out for each in ran) >= 1


@SERVERS
def test_without_it_they_are_told_at_once(server: Fleet):
    first, second = pods(server, 2)
    begun = first.start("upgrade")
    wait_until(lambda: (first.folder / "begun").exists())

    second.run("upgrade", code=5)

    (first.folder / "go").touch()
    begun.wait(0)


@SERVERS
def test_a_holder_that_dies_is_not_waited_for(server: Fleet):
    first, second = pods(server, 2)
    (second.folder / "go").touch()
    begun = first.start("upgrade")
    wait_until(lambda: (first.folder / "begun").exists())
    waits = second.start("upgrade", "--wait-for-lock", "5m")
    wait_until(lambda: "waiting" in waits.err)

    begun.kill()
    waits.wait(0)

    assert server.heads("t000") == ["a2"]


def test_the_file_may_say_so(new_fleet):
    fleet: Fleet = new_fleet("postgres")
    fleet.declare(1, wait_for_lock='"5m"', lock_timeout='"1s"')
    fleet.project.revision("a1", None, SLOW)
    first, second = pods(fleet, 2)
    begun = first.start("upgrade")
    wait_until(lambda: (first.folder / "begun").exists())

    waits = second.start("upgrade")
    wait_until(lambda: "waiting" in waits.err)

    for pod in (first, second):
        (pod.folder / "go").touch()
    for each in (begun, waits):
        each.wait(0)
    assert second.run("upgrade", "--wait-for-lock", "soon", code=2)


def test_ctrl_c_ends_the_wait(new_fleet):
    fleet: Fleet = new_fleet("postgres")
    fleet.declare(1, lock_timeout='"1s"')
    fleet.project.revision("a1", None, SLOW)
    first, second = pods(fleet, 2)
    begun = first.start("upgrade")
    wait_until(lambda: (first.folder / "begun").exists())
    waits = second.start("upgrade", "--wait-for-lock", "5m")
    wait_until(lambda: "waiting" in waits.err)

    waits.interrupt()

    waits.wait(130)
    assert begun.process.poll() is None
    begun.kill()


def test_a_run_of_the_same_ledger_is_waited_for(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(2)
    shop = fleet.project
    shop.revision("a1", None, SLOW)
    begun = shop.start("upgrade")
    wait_until(lambda: (shop.folder / "begun").exists())

    assert "held by" in shop.run("upgrade", code=5).err
    waits = shop.start("upgrade", "--wait-for-lock", "5m")
    wait_until(lambda: "waiting" in waits.err)
    (shop.folder / "go").touch()
    ran = waits.wait(0)

    begun.wait(0)
    assert "Nothing to do" in ran.out
    assert len(shop.run("runs", "-o", "json").json["runs"]) == 1


def test_wait_returns_as_soon_as_all_are_there(fleet: Fleet):
    fleet.declare(2)
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    waits = shop.start("wait", "prod", "--timeout", "5m")
    wait_until(lambda: "waiting" in waits.err)
    assert not (shop.folder / ".orchestrator").exists()

    shop.run("upgrade", "prod/app/t000")
    time.sleep(0.5)
    assert waits.process.poll() is None
    shop.run("upgrade", "prod/app/t001")
    ran = waits.wait(0)

    assert "for 2 of 2  prod/app/t000 has no revision yet" in ran.err
    assert "2 targets: all there" in ran.out
    assert shop.run("wait", "prod/app/t000", "--timeout", "1s").code == 0


def test_wait_ends_when_its_time_is_over(fleet: Fleet):
    fleet.declare(2)
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    shop.run("upgrade", "prod/app/t000")

    ran = shop.run("wait", "--timeout", "500ms", "-o", "json", code=3)

    assert ran.states() == {"prod/app/t000": "current", "prod/app/t001": "empty"}
    assert "prod/app/t001" in shop.run("wait", "--timeout", "1s", code=3).out


def test_wait_changes_nothing_and_wants_no_right_to_write(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(1)
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    shop.run("upgrade")
    before = {path: path.read_bytes() for path in shop.folder.rglob("*.db")}
    (shop.folder / ".orchestrator").rename(shop.folder / "away")

    shop.run("wait")

    assert not (shop.folder / ".orchestrator").exists()
    after = {path: path.read_bytes() for path in shop.folder.rglob("*.db")}
    assert {path.name: data for path, data in after.items()} == {
        path.name: data for path, data in before.items()
    }


def test_wait_does_not_wait_for_scripts_that_can_not_be_read(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(1)
    path = fleet.project.folder / "environments.toml"
    said = '[databases.app]\nrevision = "nowhere@head"\n'
    path.write_text(path.read_text().replace("[databases.app]\n", said))
    fleet.project.revision("a1", None, CREATE)

    ran = fleet.project.run("wait", "--timeout", "5m", code=3, timeout=60)

    assert "nowhere" in ran.out


def test_wait_goes_on_while_a_server_is_not_up(project: ProjectFolder, tmp_path: Path):
    project.config(
        """
        [project]
        name = "shop"
        [databases.app]
        script_location = "migrations/app"
        [environments.prod]
        url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
        """
    )
    project.scripts()
    project.revision("a1", None, CREATE)

    ran = project.run("wait", "--timeout", "2s", "-o", "json", code=3)

    assert ran.states() == {"prod/app": "unreachable"}
    assert "waiting" in ran.err
    assert json.loads(ran.out)["command"] == "wait"


def test_wait_takes_a_user_who_may_only_read_the_version_table(new_fleet):
    fleet: Fleet = new_fleet("postgres")
    fleet.declare(1)
    shop, server, name = fleet.project, fleet.server, unique("reader")
    assert server is not None
    shop.revision("a1", None, CREATE)
    shop.run("upgrade")
    server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'reader'")
    fleet.rows("t000", f"GRANT SELECT ON alembic_version TO {name}")
    path = shop.folder / "environments.toml"
    scheme, _, rest = path.read_text().partition("://")
    path.write_text(f"{scheme}://{name}:reader@{rest.partition('@')[2]}")
    try:
        assert "all there" in shop.run("wait", "--timeout", "5s").out
    finally:
        fleet.rows("t000", f"DROP OWNED BY {name}")
        server.execute(f"DROP ROLE {name}")
