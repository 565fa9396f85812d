"""init adopts an Alembic project: what Alembic would migrate is what the orchestrator sees."""

import configparser
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import alembic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.actions.init import init
from orchestrator.actions.project import Project
from orchestrator.config.load import load
from orchestrator.errors import UsageError
from tests.effort import examples
from tests.project_folder import ENV_PY, ProjectFolder

TEMPLATES = Path(alembic.__file__).with_name("templates")
PLACEHOLDER = "driver://user:pass@localhost/dbname"
INI = """
[alembic]
script_location = scripts
sqlalchemy.url = {url}
"""


def alembic_init(folder: Path, template: str) -> ProjectFolder:
    """Start an Alembic project as its user does."""
    if not (TEMPLATES / template).is_dir():
        pytest.skip(f"this Alembic has no template {template}")
    program = str(Path(sys.executable).with_name("alembic"))
    subprocess.run([program, "init", "-t", template, "scripts"], cwd=folder, check=True)
    return ProjectFolder(folder)


def project(
    folder: Path, ini: str = "", env_py: str = ENV_PY, scripts: str = "scripts"
) -> ProjectFolder:
    """Write a project by hand."""
    (folder / scripts / "versions").mkdir(parents=True)
    (folder / scripts / "env.py").write_text(env_py)
    if ini:
        (folder / "alembic.ini").write_text(ini)
    return ProjectFolder(folder)


def put(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def written(folder: Path) -> dict[str, Any]:
    load(folder / "environments.toml")
    return tomllib.loads((folder / "environments.toml").read_text())


@pytest.mark.parametrize("template", ["generic", "async", "pyproject", "pyproject_async"])
def test_what_alembic_init_writes(tmp_path: Path, template: str) -> None:
    shop = alembic_init(tmp_path, template)
    (ini, url) = (tmp_path / "alembic.ini", "sqlite:///app.db")
    if template.endswith("async"):
        url = "sqlite+aiosqlite:///app.db"
    put(ini, PLACEHOLDER, url)
    result = shop.run("init", "-o", "json").json
    names = [Path(path).name for path in result["written"]]
    assert names == ["environments.toml", "environments.schema.json"]
    assert result["adopted"] == ("pyproject.toml" if "pyproject" in template else "alembic.ini")
    assert written(tmp_path)["environments"]["dev"] == {"url": url}
    shop.run("config", "check")


@pytest.mark.parametrize("template", ["generic", "pyproject"])
def test_status_works_right_after(tmp_path: Path, template: str) -> None:
    shop = alembic_init(tmp_path, template)
    put(tmp_path / "alembic.ini", PLACEHOLDER, "sqlite:///%(here)s/app.db")
    shop.run("init", "--name", "shop")
    assert shop.run("status", "dev", "-o", "json").states() == {"dev/shop": "empty"}


def test_a_database_for_each_of_those_that_are_listed(tmp_path: Path) -> None:
    shop = alembic_init(tmp_path, "multidb")
    put(tmp_path / "alembic.ini", f"{PLACEHOLDER}2", "sqlite:///two.db")
    put(tmp_path / "alembic.ini", PLACEHOLDER, "sqlite:///one.db")
    shop.run("init")
    found = written(tmp_path)
    assert found["databases"] == {
        name: {"config_file": "alembic.ini", "ini_section": name} for name in ("engine1", "engine2")
    }
    assert found["environments"]["dev"] == {
        "url": "sqlite:///one.db",
        "databases": {"engine2": {"url": "sqlite:///two.db"}},
    }
    states = shop.run("status", "dev", "-o", "json").states()
    assert states == {"dev/engine1": "empty", "dev/engine2": "empty"}


def test_a_database_for_each_section_with_scripts_of_its_own(tmp_path: Path) -> None:
    ini = INI.format(url="sqlite:///main.db") + (
        "[bill ing]\nscript_location = %(here)s/billing\nsqlalchemy.url = sqlite:///bill.db\n"
        "[prod]\nscript_location = scripts\nsqlalchemy.url = sqlite:///prod.db\n"
        "[twin]\nscript_location = twin\nsqlalchemy.url = sqlite:///./main.db\n"
        "[stray]\nsqlalchemy.url = sqlite:///stray.db\nsqlalchemy.echo = true\n"
        "[post_write_hooks]\nhooks = \n"
    )
    project(tmp_path, env_py=ENV_PY, scripts="billing")
    project(tmp_path, env_py=ENV_PY, scripts="twin")
    shop = project(tmp_path, ini)
    result = shop.run("init", "--name", "shop", "-o", "json").json
    assert written(tmp_path)["databases"] == {
        "shop": {"config_file": "alembic.ini"},
        "bill-ing": {"config_file": "alembic.ini", "ini_section": "bill ing"},
    }
    left_out = {note["what"]: note["why"] for note in result["left_out"]}
    assert list(left_out) == ["[prod]", "[twin]", "[stray] sqlalchemy.url"]
    assert "environment" in left_out["[prod]"]
    states = shop.run("status", "dev", "-o", "json").states()
    assert states == {"dev/shop": "empty", "dev/bill-ing": "empty"}


def test_sections_that_share_a_default(tmp_path: Path) -> None:
    ini = (
        "[DEFAULT]\nscript_location = scripts\n"
        "[one]\nsqlalchemy.url = sqlite:///1.db\n"
        "[two]\nsqlalchemy.url = sqlite:///2.db\nversion_locations = %(here)s/two\n"
        "[loggers]\nkeys = root\n[logger_root]\nlevel = INFO\nhandlers =\n"
    )
    project(tmp_path, ini)
    init(tmp_path, "shop")
    assert list(written(tmp_path)["databases"]) == ["one", "two"]


def test_passwords_are_moved_out(tmp_path: Path) -> None:
    ini = INI.format(url="postgresql+psycopg://app:s%%40cret%%25@db/shop?sslpassword=second")
    shop = project(tmp_path, ini)
    ran = shop.run("init")
    text = (tmp_path / "environments.toml").read_text()
    for secret in ("cret", "second"):
        assert secret not in ran.out + ran.err + text
    assert "export DEV_PASSWORD=…   # alembic.ini line 4; decoded: %%40 is @" in ran.out
    assert "# export DEV_SSLPASSWORD=…  (alembic.ini line 4)\n" in text
    assert all(len(line) <= 80 for line in ran.out.splitlines() if "://" not in line)


def test_each_database_has_a_password_of_its_own(tmp_path: Path) -> None:
    ini = (
        "[alembic]\nscript_location = scripts\ndatabases = a-b,c\n"
        "[a-b]\nsqlalchemy.url = mysql+pymysql://u:one@h/ab\n"
        "[c]\nsqlalchemy.url = mysql+pymysql://u:two@h/c\n"
    )
    result = project(tmp_path, ini).run("init", "-o", "json").json
    assert result["exports"] == [
        {"variable": "DEV_A_B_PASSWORD", "from": "alembic.ini line 5"},
        {"variable": "DEV_C_PASSWORD", "from": "alembic.ini line 7"},
    ]


@pytest.mark.parametrize(
    ("url", "read", "variable", "source"),
    [
        (
            "",
            'import os\nos.environ["SHOP_DB_URL"]\n',
            "SHOP_DB_URL",
            "the URL; env.py reads it, too",
        ),
        ("", "", "DATABASE_URL", "the URL; env.py decides it by itself"),
        (PLACEHOLDER, "", "DATABASE_URL", "the URL; alembic.ini line 4 is a placeholder"),
        ("p://%(USER)s@h/s", "", "DATABASE_URL", "the URL; alembic.ini line 4 can't be used"),
        ("mysql://u:p%40@h/s", "", "DATABASE_URL", "the URL; alembic.ini line 4 can't be used"),
        ("mysql://u:${PW}@h/s", "", "DATABASE_URL", "the URL; alembic.ini line 4 can't be used"),
    ],
)
def test_where_there_is_no_url(
    tmp_path: Path, url: str, read: str, variable: str, source: str
) -> None:
    shop = project(tmp_path, INI.format(url=url), read + ENV_PY)
    result = shop.run("init", "--name", "shop", "-o", "json").json
    assert result["exports"] == [{"variable": variable, "from": source}]
    assert written(tmp_path)["environments"]["dev"]["url"] == f"${{env:{variable}}}"
    assert bool(result["left_out"]) == source.endswith("used")
    shop.environ[variable] = "sqlite:///app.db"
    if not read:
        assert shop.run("status", "dev", "-o", "json").states() == {"dev/shop": "empty"}


def test_a_version_table_of_its_own(tmp_path: Path) -> None:
    env_py = ENV_PY.replace("target_metadata=", "version_table='app_versions', target_metadata=")
    shop = project(tmp_path, INI.format(url="sqlite:///app.db"), env_py)
    shop.run("init", "--name", "shop")
    assert written(tmp_path)["databases"]["shop"]["version_table"] == "app_versions"
    assert shop.run("status", "dev", "-o", "json").states() == {"dev/shop": "empty"}


def test_a_package_as_script_location(tmp_path: Path) -> None:
    ini = "[alembic]\nscript_location = shop.db:scripts\nprepend_sys_path = src\n"
    project(tmp_path, ini, scripts="src/shop/db/scripts")
    (found,) = (init(tmp_path).adoption or pytest.fail("not adopted")).databases
    assert found.source.scripts.location == "shop.db:scripts"


def test_version_locations_and_revisions_are_counted(tmp_path: Path) -> None:
    ini = (
        INI.format(url="sqlite:///a.db") + "version_locations = one:two/deep\npath_separator = :\n"
    )
    project(tmp_path, ini)
    for path in ("one/a.py", "two/deep/b.py", "two/deep/__init__.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    result = init(tmp_path, "shop")
    found = dict((result.adoption or pytest.fail("not adopted")).found)
    assert (found["version locations"], found["revisions"]) == ("one, two/deep", "2")
    assert "# version locations: one, two/deep\n" in (tmp_path / "environments.toml").read_text()


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("script_location = scripts\n", "alembic.ini can't be read"),
        ("[alembic]\n[alembic]\n", "alembic.ini can't be read"),
        ("[other]\nkey = 1\n", "alembic.ini has no section [alembic]"),
        ("[alembic]\nsqlalchemy.url = sqlite:///a.db\n", "alembic.ini says no script_location"),
        (
            "[alembic]\nscript_location = nowhere\n",
            "there is no env.py in script_location 'nowhere'",
        ),
        ("[alembic]\nscript_location = no.such:scripts\n", "there is no env.py in script_location"),
        ("[alembic]\nscript_location = %(what)s\n", "alembic.ini: option 'script_location'"),
    ],
)
def test_what_is_not_in_order_is_told_and_nothing_is_written(
    tmp_path: Path, ini: str, message: str
) -> None:
    shop = project(tmp_path, ini)
    before = sorted(tmp_path.rglob("*"))
    ran = shop.run("init", code=2)
    assert ran.err.startswith(f"error: {message}")
    assert "; nothing was written\n" in ran.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.alembic]\n[tool.alembic", "pyproject.toml can't be read"),
        ("[tool.alembic]\n", "pyproject.toml says no script_location"),
        ("[tool.alembic]\nscript_location = '%(what)s'\n", "pyproject.toml"),
        ("[tool.alembic]\nscript_location = '%d'\n", "pyproject.toml"),
    ],
)
def test_a_pyproject_that_is_not_in_order(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_a_pyproject_of_another_tool_is_a_new_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    assert (tmp_path / "migrations/app/env.py") in init(tmp_path).written


def test_the_name_is_that_of_the_project(tmp_path: Path) -> None:
    project(tmp_path, INI.format(url="sqlite:///a.db"))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'my shop.eu!'\n")
    init(tmp_path)
    assert written(tmp_path)["project"]["name"] == "my shop.eu!"
    assert list(written(tmp_path)["databases"]) == ["my-shop.eu"]


def test_what_is_there_is_kept_and_no_starter_is_written(tmp_path: Path) -> None:
    project(tmp_path, INI.format(url="sqlite:///a.db"))
    mine = tmp_path / "environments.toml"
    mine.write_text("mine")
    result = init(tmp_path)
    assert (result.kept, result.adoption) == ((mine,), None)
    assert [path.name for path in result.written] == ["environments.schema.json"]
    assert mine.read_text() == "mine"


def test_what_is_told(tmp_path: Path) -> None:
    ini = INI.format(url="mysql+pymysql://app:pw@db/shop") + "sqlalchemy.pool_size = 5\n"
    ran = project(tmp_path, ini).run("init", "--name", "shop")
    assert ran.out == (
        "wrote  environments.toml\n"
        "wrote  environments.schema.json\n"
        "\n"
        "Found:\n"
        "  configuration      alembic.ini\n"
        "  database           shop\n"
        "  script location    scripts\n"
        "  version locations  scripts/versions\n"
        "  revisions          0\n"
        "  url                mysql+pymysql://app:${env:DEV_PASSWORD}@db/shop\n"
        "\n"
        "Left out:\n"
        "  the password of shop  it comes from the environment\n"
        "  sqlalchemy.pool_size  the engine is the orchestrator's own\n"
        "\n"
        "Next:\n"
        "  export DEV_PASSWORD=…   # alembic.ini line 4\n"
        "  orchestrator status dev\n"
    )


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
SECTIONS = TEXT.filter(
    lambda name: name == name.strip() and "]" not in name and name not in ("DEFAULT", "alembic")
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(SECTIONS, max_size=3, unique=True), TEXT, TEXT, TEXT)
def test_any_names_give_a_valid_file(
    sections: list[str], name: str, password: str, table: str
) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        ini = configparser.ConfigParser(interpolation=None)
        for number, section in enumerate(["alembic", *sections]):
            project(
                folder, scripts=f"s{number}", env_py=f"context.configure(version_table={table!r})"
            )
            url = f"mysql+pymysql://u:{_quoted(password)}@h/d{number}".replace("%", "%%")
            ini[section] = {"script_location": f"s{number}", "sqlalchemy.url": url}
        with (folder / "alembic.ini").open("w", encoding="utf-8") as file:
            ini.write(file)
        result = init(folder, name)
        found = written(folder)
        assert found["project"]["name"] == name
        assert [d.get("ini_section") for d in found["databases"].values()] == [None, *sections]
        assert len(Project.load(folder / "environments.toml").targets()) == len(sections) + 1
        assert len((result.adoption or pytest.fail("not adopted")).exports) == len(sections) + 1


def _quoted(password: str) -> str:
    return "".join(f"%{byte:02X}" for byte in password.encode())


def test_json_of_a_new_project_has_the_same_keys(tmp_path: Path) -> None:
    made = json.loads(ProjectFolder(tmp_path).run("init", "-o", "json").out)
    assert (made["adopted"], made["exports"], made["found"], made["left_out"]) == (None, [], [], [])
