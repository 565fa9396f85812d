"""``doctor`` finds a planted fault of each kind that it names, and nothing where there is none."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.project_folder import ENV_PY, ProjectFolder, Ran
from tests.real.conftest import Fleet
from tests.servers import unique

CREATE = "op.create_table('items', sa.Column('id', sa.Integer, primary_key=True))"


@pytest.fixture
def shop(new_fleet: Callable[[str], Fleet]) -> ProjectFolder:
    fleet = new_fleet("sqlite")
    fleet.declare(2)
    fleet.project.revision("a1", None, CREATE)
    return fleet.project


def edit(shop: ProjectFolder, old: str, new: str) -> None:
    path = shop.folder / "environments.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def checks(ran: Ran, verdict: str) -> dict[str, Any]:
    """What → text, of the checks with a verdict."""
    return {c["what"]: c for c in ran.json["checks"] if c["verdict"] == verdict}


def fault(shop: ProjectFolder, what: str) -> str:
    """The text and the next step of the one fault, in one line."""
    ran = shop.run("doctor", "-o", "json", code=2)
    found = checks(ran, "fault")
    assert list(found) == [what], ran
    said = shop.run("doctor", code=2).out
    assert "✗" in said
    assert "1 fault" in said
    return f"{found[what]['text']} {found[what]['next_step']}"


def test_a_healthy_fleet_has_no_fault_and_is_not_changed(fleet: Fleet) -> None:
    fleet.declare(2)
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    before = {path for path in shop.folder.rglob("*") if "__pycache__" not in str(path)}

    ran = shop.run("doctor", "-o", "json")

    assert not checks(ran, "fault")
    assert {"versions", "ledger", "tenants", "driver", "server", "rights", "revisions"} <= set(
        checks(ran, "ok")
    )
    assert "Alembic" in checks(ran, "ok")["versions"]["text"]
    assert {path for path in shop.folder.rglob("*") if "__pycache__" not in str(path)} == before
    if fleet.server is not None:
        assert not fleet.tables("t000")
        assert "ms" in checks(ran, "ok")["server"]["text"]
        assert "[project.scratch]" in checks(ran, "note")["env.py"]["next_step"]
        assert fleet.password not in ran.out
    assert "✓" in shop.run("doctor").out


def test_a_driver_that_is_not_there(shop: ProjectFolder) -> None:
    edit(shop, "sqlite:///var/{tenant}.db", "postgresql+psycopg2://h/{tenant}")

    assert "psycopg2" in fault(shop, "driver")


def test_a_secret_that_does_not_resolve(shop: ProjectFolder) -> None:
    edit(shop, "sqlite:///var/{tenant}.db", "sqlite:///${env:NOWHERE}/{tenant}.db")

    assert "NOWHERE" in fault(shop, "secrets")


def test_tenants_that_are_not_found(shop: ProjectFolder) -> None:
    edit(shop, "tenants = ['t000', 't001']", 'tenants = { command = ["false"] }')

    assert "exit code 1" in fault(shop, "tenants")


def test_a_server_that_does_not_answer(shop: ProjectFolder) -> None:
    edit(shop, "sqlite:///var/{tenant}.db", "postgresql+psycopg://u:s3cret@127.0.0.1:1/{tenant}")

    said = fault(shop, "server")

    assert "localhost:1" in said
    assert "s3cret" not in said


def test_a_database_that_is_not_there(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(1)
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    edit(shop, "['t000']", "['t000x']")

    assert "create = true" in fault(shop, "server")

    edit(shop, "[environments.prod]", "[environments.prod]\ncreate = true")
    shop.run("doctor")


def test_a_ledger_that_can_not_be_written(shop: ProjectFolder) -> None:
    edit(shop, "[project]", '[project]\nledger = "sqlite:///environments.toml/ledger.db"')

    assert "which is a file" in fault(shop, "ledger")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(shop: ProjectFolder) -> None:
    (shop.folder / "var").mkdir(mode=0o500)

    assert "to write into" in fault(shop, "rights")


def test_a_ledger_whose_server_is_down(shop: ProjectFolder) -> None:
    edit(shop, "[project]", '[project]\nledger = "postgresql+psycopg://127.0.0.1:1/ledger"')

    assert "project.ledger" in fault(shop, "ledger")


def test_an_env_py_that_does_not_run(shop: ProjectFolder) -> None:
    shop.scripts(env_py="import os\nos.environ['SHOP_URL']\n" + ENV_PY)

    said = fault(shop, "env.py")

    assert "KeyError: 'SHOP_URL'" in said
    assert "migrations/app/env.py:2" in said
    assert "configure" in said


def test_a_revision_that_can_not_be_read(shop: ProjectFolder) -> None:
    (shop.folder / "migrations/app/versions/b.py").write_text("what is this\n")

    assert "versions/b.py" in fault(shop, "revisions")


def test_a_revision_that_says_a_password_when_it_is_read(
    new_fleet: Callable[[str], Fleet],
) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(1)
    path = fleet.project.revision("a1", None, CREATE)
    path.write_text(f"raise ValueError('no way to {fleet.password}')\n" + path.read_text())

    said = fault(fleet.project, "revisions")

    assert "no way to ***" in said
    assert fleet.password not in said


def test_scripts_that_are_not_there(shop: ProjectFolder) -> None:
    edit(shop, "migrations/app", "migrations/nowhere")

    assert "env.py" in fault(shop, "tenants")


def test_a_hook_that_can_not_be_imported(shop: ProjectFolder) -> None:
    edit(shop, "[databases.app]", '[databases.app]\nconfigure = "nowhere:configure"')

    assert "No module named 'nowhere'" in fault(shop, "scripts")


def test_a_scratch_database_of_which_a_secret_is_missing(shop: ProjectFolder) -> None:
    edit(shop, "[project]", '[project]\nscratch = { sqlite = "sqlite:///${env:NOWHERE}.db" }')

    assert "NOWHERE" in fault(shop, "scratch")


def test_what_is_worth_knowing_is_no_fault(shop: ProjectFolder) -> None:
    reads = (
        "import os\n"
        "os.environ.get('SHOP_DEBUG')\nos.getenv('SHOP_MODE', '')\n'SHOP_TEST' in os.environ\n"
        "def include_object(o, name, *_):\n    return name != context.get_x_argument()\n"
        "def compare_type(*_):\n    return context.get_x_argument()\n"
    )
    options = (
        "target_metadata=target_metadata, include_object=include_object, compare_type=compare_type"
    )
    shop.environ["SHOP_MODE"] = "x"
    shop.scripts(env_py=reads + ENV_PY.replace("target_metadata=target_metadata", options))
    shop.revision("b1", None, CREATE)
    path = shop.revision("b2", "b1", "pass")
    path.write_text(path.read_text().partition("def downgrade")[0])

    notes = checks(shop.run("doctor", "-o", "json"), "note")

    assert "several heads: a1, b2" in notes["revisions"]["text"] or "without" in str(notes)
    assert "SHOP_MODE, SHOP_DEBUG (not set), SHOP_TEST (not set)" in notes["environment"]["text"]
    for callback in ("include_object", "compare_type"):
        assert f"{callback} of env.py may decide by the target" in notes["check"]["text"]
    out = shop.run("doctor").out
    assert "several heads: a1, b2" in out
    assert "without downgrade(): b2" in out


def test_settings_that_are_read_all_at_once_are_told_as_such(shop: ProjectFolder) -> None:
    shop.scripts(env_py="import os\nsettings = dict(os.environ)\n" + ENV_PY)

    notes = [c["text"] for c in shop.run("doctor", "-o", "json").json["checks"]]

    assert any("reads all variables" in text for text in notes)
    assert not any("PATH" in text for text in notes)


@pytest.fixture(params=["postgres", "mariadb", "mysql"])
def modest(
    request: pytest.FixtureRequest, new_fleet: Callable[[str], Fleet]
) -> Iterator[tuple[Fleet, str]]:
    """A fleet whose URL is of a user who may do nothing yet."""
    fleet = new_fleet(request.param)
    fleet.declare(2)
    assert fleet.server is not None
    fleet.project.revision("a1", None, CREATE)
    name = unique("modest")
    if fleet.kind == "postgres":
        fleet.server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'modest'")
    else:
        fleet.server.execute(f"CREATE USER {name}@'%' IDENTIFIED BY 'modest'")
        for tenant in fleet.tenants:
            fleet.server.execute(f"GRANT SELECT ON {fleet.database(tenant)}.* TO {name}@'%'")
    path = fleet.project.folder / "environments.toml"
    text = path.read_text()
    scheme, _, rest = text.partition("://")
    path.write_text(f"{scheme}://{name}:modest@{rest.partition('@')[2]}")
    yield fleet, name
    for tenant in fleet.tenants:
        if fleet.kind == "postgres":
            fleet.rows(tenant, f"REASSIGN OWNED BY {name} TO CURRENT_USER")
            fleet.rows(tenant, f"DROP OWNED BY {name}")
    user = name if fleet.kind == "postgres" else f"{name}@'%'"
    fleet.server.execute(f"DROP {'ROLE' if fleet.kind == 'postgres' else 'USER'} {user}")


def test_rights_that_are_missing(modest: tuple[Fleet, str]) -> None:
    fleet, name = modest
    assert fleet.server is not None

    said = fault(fleet.project, "rights")

    assert "prod/app/t000" in said
    assert "CREATE" in said
    assert "SELECT" not in said
    for tenant in fleet.tenants:
        if fleet.kind == "postgres":
            fleet.rows(tenant, f"GRANT CREATE ON SCHEMA public TO {name}")
        else:
            fleet.server.execute(f"GRANT ALL ON {fleet.database(tenant)}.* TO {name}@'%'")
    fleet.project.run("doctor")
    fleet.project.run("upgrade")
    fleet.project.run("doctor")


def test_tables_of_somebody_else_on_postgresql(new_fleet: Callable[[str], Fleet]) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(1)
    assert fleet.server is not None
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    name = unique("modest")
    fleet.server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'modest'")
    fleet.rows("t000", f"GRANT CREATE ON SCHEMA public TO {name}")
    path = fleet.project.folder / "environments.toml"
    scheme, _, rest = path.read_text().partition("://")
    path.write_text(f"{scheme}://{name}:modest@{rest.partition('@')[2]}")
    try:
        said = fault(fleet.project, "rights")
    finally:
        fleet.rows("t000", f"DROP OWNED BY {name}")
        fleet.server.execute(f"DROP ROLE {name}")

    assert "ownership of alembic_version and" in said


def test_one_environment_alone(shop: ProjectFolder) -> None:
    edit(
        shop,
        "[environments.prod]\n",
        '[environments.other]\nurl = "postgresql+psycopg://127.0.0.1:1/x"\n[environments.prod]\n',
    )

    shop.run("doctor", "prod")
    shop.run("doctor", code=2)
    assert "there is no environment 'prd'" in shop.run("doctor", "prd", code=2).err


def test_the_env_py_runs_on_the_scratch_database_that_is_named(
    new_fleet: Callable[[str], Fleet],
) -> None:
    fleet = new_fleet("postgres")
    fleet.declare(2)
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    url = fleet.url.replace("{tenant}", "t001")
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text() + f"[project.scratch]\npostgresql = '{url}'\n")

    ran = shop.run("doctor", "-o", "json")

    assert checks(ran, "ok")["env.py"]["text"] == "runs"
    assert not fleet.tables("t001")


def test_mistakes_of_the_file_come_first(shop: ProjectFolder) -> None:
    (shop.folder / "environments.toml").write_text("[project]\n")

    assert "mistakes in environments.toml" in shop.run("doctor", code=2).err
