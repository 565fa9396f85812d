"""Several histories in one database, each with a version table of its own: as Airflow has them."""

import pytest

from tests.project_folder import ENV_PY
from tests.real.conftest import Fleet

TABLES = {"core": "alembic_version_core", "fab": "alembic_version_fab"}


def create(name: str, more: str = "") -> str:
    return f"op.create_table('{name}', sa.Column('id', sa.Integer, primary_key=True))\n{more}"


@pytest.fixture
def shared(fleet: Fleet) -> Fleet:
    """Two tenants, each with one database of two histories."""
    fleet.declare(2, lock_timeout='"1s"')
    shop = fleet.project
    path = shop.folder / "environments.toml"
    tables = "".join(
        f'[databases.{name}]\nscript_location = "migrations/{name}"\nversion_table = "{table}"\n'
        for name, table in TABLES.items()
    )
    head, _, tail = path.read_text().partition("[environments.prod]")
    path.write_text(head.partition("[databases.app]")[0] + tables + "[environments.prod]" + tail)
    for name, table in TABLES.items():
        env_py = ENV_PY.replace(
            "target_metadata=target_metadata", f"target_metadata=None, version_table={table!r}"
        )
        shop.scripts(name, env_py)
        # Longer than a lock is waited for: both at once would fail.
        shop.revision(f"{name}1", None, create(name, "time.sleep(2.5)"), database=name)
        shop.revision(f"{name}2", f"{name}1", create(f"{name}_more"), database=name)
    return fleet


def heads(fleet: Fleet, tenant: str, name: str) -> list[str]:
    return [row[0] for row in fleet.rows(tenant, f"SELECT version_num FROM {TABLES[name]}")]


def test_they_run_one_after_the_other(shared: Fleet):
    shop = shared.project

    planned = shop.run("plan", "-o", "json").json
    ran = shop.run("upgrade", "-o", "json")

    assert len(planned["targets"]) == 4
    assert set(ran.states().values()) == {"done"}
    assert all(target["attempts"] == 1 for target in ran.json["targets"])
    for tenant in shared.tenants:
        assert heads(shared, tenant, "core") == ["core2"]
        assert heads(shared, tenant, "fab") == ["fab2"]
    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}
    shop.run("drift")


def test_each_goes_its_own_way(shared: Fleet):
    shop = shared.project
    shop.run("upgrade")
    shop.run("stamp", "prod/fab/t000", "--revision", "fab1", "-y")

    states = shop.run("status", "-o", "json").states()

    assert states == {
        "prod/core/t000": "current",
        "prod/core/t001": "current",
        "prod/fab/t000": "behind",
        "prod/fab/t001": "current",
    }
    assert heads(shared, "t000", "core") == ["core2"]


def test_one_version_table_for_both_is_refused(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(1)
    path = fleet.project.folder / "environments.toml"
    path.write_text(
        path.read_text().replace(
            "[environments.prod]\n",
            '[databases.fab]\nscript_location = "migrations/app"\n'
            'version_table = "ALEMBIC_VERSION"\n[environments.prod]\n',
        )
    )

    error = fleet.project.run("config", "check", code=2).err

    assert "share one database" in error
    assert "version_table = …" in error
