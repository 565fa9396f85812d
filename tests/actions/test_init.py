"""init writes a project that works at once, and takes nothing away."""

import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from orchestrator.actions.init import TEMPLATES, init
from orchestrator.config.schema import render
from orchestrator.errors import UsageError
from tests.project_folder import ProjectFolder
from tests.servers import MariaDB, Postgres, unique

ROOT = Path(__file__).parents[2]
FILES = [
    ".gitignore",
    "environments.schema.json",
    "environments.toml",
    "migrations/__init__.py",
    "migrations/app/__init__.py",
    "migrations/app/env.py",
    "migrations/app/models.py",
    "migrations/app/script.py.mako",
    "migrations/app/versions/0001_create_users.py",
]


def test_an_empty_folder_gets_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "shop"
    result = init(folder)
    assert sorted(str(path.relative_to(folder)) for path in result.written) == FILES
    assert result.kept == ()
    assert (folder / "environments.schema.json").read_text() == render()
    assert tomllib.loads((folder / "environments.toml").read_text())["project"]["name"] == "shop"


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    mine = tmp_path / "environments.toml"
    mine.write_text("mine")
    dangling = tmp_path / ".gitignore"
    dangling.symlink_to(tmp_path / "nowhere")
    result = init(tmp_path)
    assert set(result.kept) == {mine, dangling}
    assert mine.read_text() == "mine"
    assert not dangling.exists()
    assert len(result.written) == len(FILES) - 2


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    first = init(tmp_path)
    second = init(tmp_path)

    assert not second.written
    assert set(second.kept) <= set(first.written)


@pytest.mark.parametrize("name", ['a "b" \\ c', "ünï", "x\x7fy\x01", "@name@", "a\nb"])
def test_any_name_stays_a_name(tmp_path: Path, name: str) -> None:
    init(tmp_path, name)
    assert tomllib.loads((tmp_path / "environments.toml").read_text())["project"]["name"] == name


def test_a_file_in_the_place_of_a_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "migrations").write_text("")
    with pytest.raises(UsageError, match=r"migrations.* is not a folder"):
        init(tmp_path)


def test_the_project_works_at_once(tmp_path: Path) -> None:
    init(tmp_path)
    project = ProjectFolder(tmp_path)
    assert set(project.run("upgrade", "-o", "json").states().values()) == {"done"}
    assert set(project.run("check", "-o", "json").states().values()) == {"in_sync"}
    project.run("downgrade", "dev", "--revision", "base", "--yes")


def test_its_models_and_revision_agree_on_servers(
    tmp_path: Path, mariadb: MariaDB, postgres: Postgres
) -> None:
    init(tmp_path)
    names = unique("init"), unique("init")
    with mariadb.databases(names[0]), postgres.databases(names[1]):
        config = (tmp_path / "environments.toml").read_text().replace('["dev"]', '["my", "pg"]')
        for key, url in (("my", mariadb.url(names[0])), ("pg", postgres.url(names[1]))):
            config += f"\n[environments.{key}]\nurl = '{url}'\n"
        ProjectFolder(tmp_path).config(config)
        ProjectFolder(tmp_path).run("upgrade")
        checked = ProjectFolder(tmp_path).run("check", "-o", "json").states()
    assert set(checked.values()) == {"in_sync"}


def test_the_commented_examples_are_valid(tmp_path: Path) -> None:
    init(tmp_path)
    path = tmp_path / "environments.toml"
    before, _, examples = path.read_text().partition("# PostgreSQL")
    lines = ("# PostgreSQL" + examples).splitlines()
    tables = [line.removeprefix("# ") for line in lines if _is_toml(line)]
    path.write_text(before.replace('["dev"]', '["dev", "staging", "prod"]') + "\n".join(tables))
    ProjectFolder(tmp_path).run("targets", "prod")


def _is_toml(line: str) -> bool:
    return line.startswith(
        (
            "# [",
            "# url",
            "# schema",
            "# tenants",
            "# protected",
            "#     {",
            "# ]",
            "# max",
            "# lock",
        )
    )


def test_the_wheel_holds_the_templates(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        packed = {Path(name) for name in archive.namelist()}
    package = TEMPLATES.relative_to(ROOT)
    templates = {package / path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*.tmpl")}
    assert len(templates) == len(FILES) - 1
    assert templates <= packed
