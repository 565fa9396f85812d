"""``init`` finds Alembic where people have it, and writes into nobody's own migrations."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.actions.init import init
from orchestrator.config.load import load
from orchestrator.errors import UsageError

ENV_PY = "from alembic import context\ncontext.configure()\n"
INI = "[alembic]\nscript_location = {location}\nsqlalchemy.url = {url}\n"
REVISION = "revision = 'a'\ndown_revision = None\n"


def scripts(folder: Path, env_py: str = ENV_PY) -> None:
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(env_py)
    (folder / "script.py.mako").touch()


def ini(folder: Path, location: str, url: str = "sqlite:///shop.db") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alembic.ini").write_text(INI.format(location=location, url=url))


def adopted(folder: Path, name: str = "shop") -> dict[str, Any]:
    """What the file says, which must be valid, and nothing but our own files written."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    made = init(folder, name)
    assert made.adoption is not None
    assert {path.parent for path in made.written} == {folder}
    assert all(path.read_bytes() == text for path, text in before.items())
    assert load(folder / "environments.toml").config.databases
    return tomllib.loads((folder / "environments.toml").read_text())


@pytest.mark.parametrize("where", ["migrations", "alembic", "src/shop", "backend", "src/shop/db"])
def test_a_configuration_is_found_below(tmp_path: Path, where: str) -> None:
    ini(tmp_path / where, "scripts")
    scripts(tmp_path / where / "scripts")

    found = adopted(tmp_path)

    assert found["databases"] == {"shop": {"config_file": f"{where}/alembic.ini"}}
    # Alembic is run where its file is: so is the database.
    assert found["environments"]["dev"]["url"] == f"sqlite:///{where}/shop.db"


def test_a_table_of_a_pyproject_is_found_below(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    text = '[tool.alembic]\nscript_location = "%(here)s/scripts"\n'
    (tmp_path / "backend" / "pyproject.toml").write_text(text)
    scripts(tmp_path / "backend" / "scripts")

    found = adopted(tmp_path)

    assert found["databases"] == {"shop": {"config_file": "backend/pyproject.toml"}}


def test_several_are_a_database_each(tmp_path: Path) -> None:
    for name in ("orders", "catalog"):
        ini(tmp_path / "services" / name, "migrations", f"sqlite:///{name}.db")
        scripts(tmp_path / "services" / name / "migrations")

    found = adopted(tmp_path)

    assert found["databases"] == {
        "catalog": {"config_file": "services/catalog/alembic.ini"},
        "orders": {"config_file": "services/orders/alembic.ini"},
    }


def test_an_env_py_alone_is_found(tmp_path: Path) -> None:
    scripts(tmp_path / "src" / "shop" / "migrations")

    found = adopted(tmp_path)

    assert found["databases"] == {"shop": {"script_location": "src/shop/migrations"}}
    assert found["environments"]["dev"]["url"] == "${env:DATABASE_URL}"


def test_histories_with_version_tables_of_their_own_may_share_a_database(tmp_path: Path) -> None:
    for name in ("core", "fab"):
        ini(tmp_path / name, "migrations", f"sqlite:///{tmp_path}/shared.db")
        env_py = f"from alembic import context\ncontext.configure(version_table='v_{name}')\n"
        scripts(tmp_path / name / "migrations", env_py)

    found = adopted(tmp_path)

    assert {name: of["version_table"] for name, of in found["databases"].items()} == {
        "core": "v_core",
        "fab": "v_fab",
    }


def test_what_is_in_the_folder_itself_comes_first(tmp_path: Path) -> None:
    ini(tmp_path, "migrations")
    scripts(tmp_path / "migrations")
    ini(tmp_path / "other", "scripts")
    scripts(tmp_path / "other" / "scripts")

    made = init(tmp_path, "shop")

    assert made.adoption is not None
    assert [database.source.of.config_file for database in made.adoption.databases] == [
        "alembic.ini"
    ]
    assert "other/alembic.ini" in {note.what for note in made.adoption.left_out}


@pytest.mark.parametrize("where", ["tests/project", ".venv/x", "node_modules/x", "lib"])
def test_what_is_no_part_of_the_project_is_not_taken(tmp_path: Path, where: str) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pyvenv.cfg").touch()
    ini(tmp_path / where, "scripts")
    scripts(tmp_path / where / "scripts")

    assert init(tmp_path).adoption is None


def test_every_colon_of_a_package_counts(tmp_path: Path) -> None:
    ini(tmp_path, "pkg:a:mig")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    scripts(tmp_path / "pkg" / "a" / "mig")
    (tmp_path / "pkg" / "a" / "mig" / "versions" / "a.py").write_text(REVISION)

    made = init(tmp_path, "shop")

    assert made.adoption is not None
    assert ("revisions", "1") in made.adoption.found


def test_revisions_that_are_not_read_are_told(tmp_path: Path) -> None:
    ini(tmp_path, "migrations")
    scripts(tmp_path / "migrations")
    versions = tmp_path / "migrations" / "versions"
    (versions / "a.py").write_text(REVISION)
    for year in ("2023", "2024"):
        (versions / year).mkdir()
        for name in ("b", "c"):
            (versions / year / f"{name}.py").write_text(REVISION)

    made = init(tmp_path, "shop")

    assert made.adoption is not None
    note = next(note for note in made.adoption.left_out if "sub-folders" in note.what)
    assert note.what == "4 revisions in sub-folders"
    assert "migrations/versions/2023, migrations/versions/2024" in note.text
    assert "recursive_version_locations = true" in note.text


def test_nothing_is_written_into_a_folder_with_an_env_py(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "env.py").write_text("SETTINGS = {}\n")

    with pytest.raises(UsageError, match=r"migrations/env\.py is there"):
        init(tmp_path)

    assert {path.name for path in tmp_path.rglob("*")} == {"migrations", "env.py"}


FLASK_ENV_PY = "from flask import current_app\nfrom alembic import context\n"


FACTORY = "def create_app():\n    pass\n"
FLASKENV = "FLASK_DEBUG=1\nFLASK_APP=shop.web:make\n"


@pytest.mark.parametrize(
    ("files", "import_path", "python_path"),
    [
        ({"shop/__init__.py": FACTORY}, "shop", None),
        ({"src/shop/__init__.py": FACTORY}, "shop", ["src"]),
        ({"app.py": "from flask import Flask\napp = Flask(__name__)\n"}, "app", None),
        ({"wsgi.py": "app = create_app()\n", "shop/__init__.py": FACTORY}, "wsgi", None),
        ({".flaskenv": FLASKENV}, "shop.web:make", None),
        ({"shop/views.py": "nothing = 1\n"}, None, None),
    ],
    ids=["package", "src", "app.py", "wsgi.py", "flaskenv", "nowhere"],
)
def test_flask_migrate_gets_a_hook(
    tmp_path: Path,
    files: dict[str, str],
    import_path: str | None,
    python_path: list[str] | None,
) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "alembic.ini").write_text("[alembic]\n\n[loggers]\nkeys = root\n")
    scripts(tmp_path / "migrations", FLASK_ENV_PY)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    database = adopted(tmp_path)["databases"]["shop"]

    assert database["script_location"] == "migrations"
    assert database["config_file"] == "migrations/alembic.ini"
    assert database["configure"] == "orchestrator_flask:configure"
    assert database.get("python_path") == python_path
    hook = (tmp_path / "orchestrator_flask.py").read_text()
    compile(hook, "hook", "exec")
    named = "" if import_path is None else f', "{import_path}"'
    assert f'os.environ.get("FLASK_APP"{named})' in hook


def test_flask_migrates_binds_are_a_database_each(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "alembic.ini").write_text("[alembic]\n")
    scripts(tmp_path / "migrations", FLASK_ENV_PY + "bind_names = []\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text(
        "def create_app():\n"
        "    app.config['SQLALCHEMY_BINDS'] = {'events': 'sqlite:///e.db', 'user-data': 'x'}\n"
    )

    found = adopted(tmp_path)

    assert {name: of["configure"] for name, of in found["databases"].items()} == {
        "shop": "orchestrator_flask:configure",
        "events": "orchestrator_flask:configure_events",
        "user-data": "orchestrator_flask:configure_user_data",
    }
    hook = (tmp_path / "orchestrator_flask.py").read_text()
    assert "return configure(config, 'user-data')" in hook
