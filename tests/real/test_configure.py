"""``configure``: the application's own function comes before all else, in every worker alike."""

from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_env_py import CONFIGURE, HEAD
from tests.real.test_failures import target

CREATE = "op.create_table('items', sa.Column('id', sa.Integer, primary_key=True))"
ADD = "op.add_column('items', sa.Column('name', sa.String(20)))"
ENV_PY = HEAD + CONFIGURE + "run(config.attributes['connection'])"


@pytest.fixture
def fleet(new_fleet) -> Fleet:
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(3, max_parallel=1)  # one worker: the second target meets what the first left
    fleet.project.scripts(env_py=ENV_PY)
    return fleet


def hooked(project: ProjectFolder, hook: str, **files: str) -> None:
    """Let ``shop.migrating:configure`` of ``src`` be the hook, beside other files."""
    path = project.folder / "environments.toml"
    said = '[databases.app]\nconfigure = "shop.migrating:configure"\npython_path = ["src"]'
    path.write_text(path.read_text().replace("[databases.app]", said))
    package = project.folder / "src" / "shop"
    package.mkdir(parents=True)
    (package / "migrating.py").write_text(hook)
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)


def versions(project: ProjectFolder, name: str = "versions") -> Path:
    found = project.folder / "migrations" / "app" / name
    found.mkdir(exist_ok=True)
    return found


def test_the_scripts_are_those_that_it_names(fleet: Fleet):
    shop = fleet.project
    shop.revision("a1", None, CREATE)
    path = shop.revision("a2", "a1", ADD)
    path.rename(versions(shop, "extra") / path.name)
    hooked(
        shop,
        "from pathlib import Path\n"
        "def configure(config):\n"
        "    here = Path(config.get_main_option('script_location'))\n"
        "    config.set_main_option('path_separator', 'os')\n"
        "    config.set_main_option('version_path_separator', 'os')\n"
        "    config.set_main_option('version_locations', f'{here}/versions:{here}/extra')\n",
    )

    assert "a2" in shop.run("history", "app", "-o", "json").out
    plan = shop.run("plan", "-o", "json").out
    shop.run("upgrade")

    assert "a2" in plan
    assert all(fleet.heads(tenant) == ["a2"] for tenant in fleet.tenants)
    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}


def test_what_it_sets_is_there_before_the_application_is_imported(fleet: Fleet):
    shop = fleet.project
    hooked(
        shop,
        "import os\n"
        "def configure(config):\n"
        "    os.environ['SHOP_URL'] = config.get_main_option('sqlalchemy.url')\n",
        settings="import os\nurl = os.environ['SHOP_URL']\n",
    )
    shop.scripts(env_py=HEAD + "from shop import settings\n" + CONFIGURE + ENV_PY)
    shop.revision("a1", None, CREATE, header="from shop import settings")

    for each in (["history", "app"], ["status"], ["plan"], ["upgrade"], ["check"]):
        ran = shop.run(*each, code=None)
        assert ran.code in (0, 4), ran
    assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)


ENTERED = """
import contextlib
from pathlib import Path

state = []

{decorator}
def configure(config):
    state.append("in")
    try:
        yield
    finally:
        state.pop()
        with Path("left").open("a") as file:
            file.write("left\\n")
"""
INSIDE = "from shop.migrating import state\nassert state == ['in']\n"


@pytest.mark.parametrize("decorator", ["", "@contextlib.contextmanager"], ids=["generator", "cm"])
def test_it_may_be_entered_and_left(fleet: Fleet, decorator: str):
    shop = fleet.project
    hooked(shop, ENTERED.format(decorator=decorator))
    shop.scripts(env_py=INSIDE + ENV_PY)
    shop.revision("a1", None, INSIDE + CREATE, header=INSIDE)
    shop.revision("a2", "a1", "raise ValueError('on purpose')")
    left = shop.folder / "left"

    shop.run("upgrade", "--revision", "a1")
    count = len(left.read_text().splitlines())
    failed = target(shop.run("upgrade", "prod/app/t000", "-o", "json", code=3), "prod/app/t000")

    assert count >= 5  # once for the scripts of a worker, and around env.py for each target
    assert len(left.read_text().splitlines()) > count
    assert "on purpose" in failed["failure"]["message"]


def test_one_that_passes_over_an_error_makes_no_success(fleet: Fleet):
    shop = fleet.project
    hooked(
        shop,
        "def configure(config):\n    try:\n        yield\n    except Exception:\n        pass\n",
    )
    shop.scripts(env_py="raise ValueError('on purpose')")
    shop.revision("a1", None, CREATE)

    failed = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")

    assert "on purpose" in failed["failure"]["message"]


def test_one_that_nothing_awaits_is_refused(fleet: Fleet):
    shop = fleet.project
    hooked(shop, "async def configure(config):\n    config.set_main_option('a', 'b')\n")
    shop.revision("a1", None, CREATE)

    failed = target(shop.run("upgrade", "-o", "json", code=3), "prod/app/t000")["failure"]

    assert "is async" in failed["message"]


def test_one_history_for_one_target_and_another_for_the_next_is_refused(fleet: Fleet):
    shop = fleet.project
    versions(shop, "other")
    hooked(
        shop,
        "def configure(config):\n"
        "    here = config.get_main_option('script_location')\n"
        "    one = config.get_main_option('sqlalchemy.url').endswith('t000.db')\n"
        "    config.set_main_option('version_locations', here + ('/versions' if one else '/other'))"
        "\n",
    )
    shop.revision("a1", None, CREATE)

    ran = shop.run("upgrade", "-o", "json", code=3)

    failures = [each.get("failure") for each in ran.json["targets"]]
    assert any(f and "configure sets version_locations" in f["message"] for f in failures)


IN_ROOT = "[alembic]\nscript_location = migrations/app\n"
INI = {
    "none": None,
    "plain": IN_ROOT + "prepend_sys_path = . src\n",
    "with-separator": IN_ROOT
    + "path_separator = os\nversion_locations = nowhere\nprepend_sys_path = .:src\n",
}


@pytest.mark.parametrize("ini", INI.values(), ids=INI)
def test_version_locations_are_keys_of_the_file(fleet: Fleet, ini: str | None):
    shop = fleet.project
    path = shop.folder / "environments.toml"
    said = (
        '[databases.app]\nversion_locations = ["migrations/app/versions", "shop:more"]\n'
        "recursive_version_locations = true\n"
    )
    text = path.read_text()
    if ini is None:
        said += 'python_path = ["src"]\n'
    else:
        (shop.folder / "alembic.ini").write_text(ini)
        text = text.replace('script_location = "migrations/app"', 'config_file = "alembic.ini"')
    path.write_text(text.replace("[databases.app]", said))
    more = shop.folder / "src" / "shop" / "more" / "deep"
    more.mkdir(parents=True)
    (more.parent.parent / "__init__.py").touch()
    shop.revision("a1", None, CREATE)
    second = shop.revision("a2", "a1", ADD)
    second.rename(more / second.name)

    shop.run("upgrade")

    assert all(fleet.heads(tenant) == ["a2"] for tenant in fleet.tenants)
    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}
