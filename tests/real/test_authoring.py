"""revision and merge: what plain Alembic writes for an alembic.ini, the orchestrator writes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project_folder import SCRIPT_MAKO, ProjectFolder
from tests.real.histories import Rev

_FILE = """
[project]
name = "shop"
[databases.app]
config_file = "alembic.ini"
[environments.dev]
url = "sqlite:///dev.db"
"""

ENV_PY = """
from alembic import context
from sqlalchemy import engine_from_config
import models
from helpers import flavour

config = context.config
assert config.get_main_option("flavour") == flavour
assert config.get_section_option("app", "seen") == "yes"


def directives(context, revision, directives):
    if config.get_main_option("rewrite"):
        directives[0].message += " rewritten"
    if config.get_main_option("drop_all"):
        directives[:] = []


connectable = engine_from_config(config.get_section(config.config_ini_section), "sqlalchemy.")
with connectable.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=models.metadata,
        process_revision_directives=directives,
        template_args={"written_by": config.get_main_option("flavour")},
    )
    with context.begin_transaction():
        context.run_migrations()
"""

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("items", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""

INI = """
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = %(here)s/lib
path_separator = :
version_path_separator = :
sqlalchemy.url = sqlite:////nowhere/at/all.db
flavour = plain
"""


class Shop:
    """A project with an alembic.ini of many words, in one folder or two that are the same."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, ProjectFolder(folder)
        location = folder / "migrations"
        (location / "versions").mkdir(parents=True)
        (location / "env.py").write_text(ENV_PY)
        (location / "script.py.mako").write_text(SCRIPT_MAKO + "# by ${written_by or 'nobody'}\n")
        (folder / "lib").mkdir()
        (folder / "lib/helpers.py").write_text('flavour = "plain"\n')
        (folder / "lib/models.py").write_text(MODELS)
        (folder / "environments.toml").write_text(_FILE)
        self.ini()

    def ini(self, options: str = "", sections: str = "") -> None:
        text = f"{INI}{options}\n[app]\nseen = yes\n{sections}\n"
        (self.folder / "alembic.ini").write_text(text)

    def files(self) -> dict[str, str]:
        """Every revision file, by its path."""
        found = (path for path in self.folder.rglob("*.py") if "versions" in path.parts)
        return {str(path.relative_to(self.folder)): path.read_text("latin-1") for path in found}

    def as_alembic(self, folder: Path) -> "Shop":
        """Return a copy whose alembic.ini names a database."""
        shutil.copytree(self.folder, folder)
        path = folder / "alembic.ini"
        path.write_text(path.read_text().replace("/nowhere/at/all.db", "plain.db"))
        return Shop.__new__(Shop)._at(folder)

    def _at(self, folder: Path) -> "Shop":
        self.folder, self.project = folder, ProjectFolder(folder)
        return self

    def alembic(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run plain Alembic."""
        program = Path(sys.executable).with_name("alembic")
        return subprocess.run(
            [str(program), *arguments], cwd=self.folder, text=True, capture_output=True, check=False
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


FOLDERS = "version_locations = %(here)s/migrations/versions:%(here)s/more/versions"
IN = "--head base --version-path"
TEMPLATE = "file_template = %%(slug)s.%%(rev)s_%%(year)d\ntruncate_slug_length = 9\n"


@pytest.mark.parametrize(
    ("ini", "commands"),
    [
        (
            f"{TEMPLATE}timezone = UTC\noutput_encoding = utf-8-sig\n",
            ["revision --autogenerate -m añadir.cosas.y.más --rev-id 01"],
        ),
        (
            f"{FOLDERS}\nrevision_environment = true\n",
            [
                f"revision -m core --rev-id a1 --branch-label core {IN} migrations/versions",
                f"revision -m more --rev-id b1 --depends-on a1 {IN} more/versions",
                "revision -m aside --rev-id b2 --head b1",
                "revision -m branch --rev-id a2 --head a1 --branch-label west",
                "revision -m fork --rev-id a3 --head a1 --splice --depends-on core",
                "merge -m both --rev-id c1 --branch-label merged b2 a2",
                "merge -m all --rev-id d1 heads",
            ],
        ),
        ("rewrite = yes", ["revision --autogenerate -m items --rev-id 01"]),
    ],
    ids=["template", "folders", "directives"],
)
def test_it_writes_what_alembic_writes(
    shop: Shop, tmp_path: Path, ini: str, commands: list[str]
) -> None:
    shop.ini(ini)
    plain = shop.as_alembic(tmp_path / "plain")
    for command in commands:
        verb, *options = command.split()
        theirs = plain.alembic(verb, *options)
        assert theirs.returncode == 0, theirs
        ours = [option for option in options if option != "--autogenerate"]
        if verb == "revision" and ours == options:
            ours.append("--empty")
        shop.project.run(verb, "app", *ours)

    assert shop.files() == plain.files()
    assert len(shop.files()) == len(commands)


@pytest.mark.parametrize(
    ("options", "message", "step"),
    [
        ("--head head", "Multiple heads are present; please specify the head", "one of a2, b1"),
        ("--head a1", "Revision a1 is not a head revision; please specify --splice", ""),
        ("--head nosuch", "Can't locate revision identified by 'nosuch'", ""),
        ("--head base", "Multiple version locations present, please specify", "more/versions"),
        ("--head a2 --version-path x", "Path x is not represented in current", "more/versions"),
        ("--head a2 --rev-id b1", "there is a revision 'b1' already", "another --rev-id"),
        ("--head a2 --depends-on no", "Can't locate revision identified by 'no'", ""),
    ],
)
def test_what_alembic_refuses_is_refused_with_the_choices(
    shop: Shop, options: str, message: str, step: str
) -> None:
    shop.ini(FOLDERS)
    Rev().write(shop.folder / "migrations", "a1")
    Rev("a1").write(shop.folder / "migrations", "a2")
    Rev().write(shop.folder / "more", "b1")
    before = shop.files()

    ran = shop.project.run("revision", "app", "-m", "x", "--empty", *options.split(), code=3)

    told = " ".join(ran.err.split())
    assert f"error: app: {message}" in told
    assert step in told
    assert shop.files() == before


def test_hooks_run_and_are_heard_of_only_when_they_fail(shop: Shop) -> None:
    hook = shop.folder / "hook"
    hook.write_text('#!/bin/sh\necho "# hooked" >> "$1"; echo "heard $2"; exit ${3:-0}\n')
    hook.chmod(0o755)
    sections = (
        "[post_write_hooks]\nhooks = a, b\na.type = exec\na.executable = %(here)s/hook\n"
        "a.options = REVISION_SCRIPT_FILENAME fine\nb.type = exec\n"
        "b.executable = %(here)s/hook\nb.options = REVISION_SCRIPT_FILENAME badly 7\n"
    )
    shop.ini(sections=sections)

    told = shop.project.run("revision", "app", "-m", "x", "--empty", "--rev-id", "a1")

    (text,) = shop.files().values()
    assert text.endswith("# hooked\n# hooked\n")
    assert "heard fine" not in told.out
    assert "warning: post_write_hooks: " in told.out
    assert "ended with 7" in told.out
    assert "heard badly" in told.out


def test_a_hook_that_can_not_run_names_what_was_written(shop: Shop) -> None:
    sections = "[post_write_hooks]\nhooks = a\na.type = console_scripts\na.entrypoint = nosuch\n"
    shop.ini(sections=sections)

    told = shop.project.run("revision", "app", "-m", "x", "--empty", "--rev-id", "a1", code=3)

    assert "app: Could not find entrypoint console_scripts.nosuch" in told.err
    assert "a1_x.py was written before" in " ".join(told.err.split())


def test_directives_that_leave_nothing_write_nothing(shop: Shop) -> None:
    shop.ini("drop_all = yes")

    told = shop.project.run("revision", "app", "-m", "x")

    assert told.out.startswith("Nothing to write")
    assert not shop.files()


def test_one_head_is_not_merged(shop: Shop) -> None:
    Rev().write(shop.folder / "migrations", "a1")

    told = shop.project.run("merge", "app", "-m", "x", code=3)

    assert "there is nothing to merge: heads is one revision, a1" in " ".join(told.err.split())
    assert len(shop.files()) == 1


def test_a_merge_is_upgraded_to(shop: Shop) -> None:
    for name, down in (("a1", None), ("b1", "a1"), ("c1", "a1")):
        Rev(down).write(shop.folder / "migrations", name)

    told = shop.project.run("merge", "app", "-m", "together", "--rev-id", "m1")
    shop.project.run("upgrade", "--revision", "head")

    assert "revision m1 of app, merges b1, c1" in " ".join(told.out.split())
    status = shop.project.run("status", "-o", "json").json
    assert status["targets"][0]["heads"] == ["m1"]


def test_what_is_no_head_is_merged_where_splice_says_so(shop: Shop) -> None:
    for name, down in (("a1", None), ("b1", "a1"), ("b2", "b1"), ("c1", "a1")):
        Rev(down).write(shop.folder / "migrations", name)
    merge = ("merge", "app", "b1", "c1", "-m", "early", "--rev-id", "m1")

    refused = shop.project.run(*merge, code=3)
    shop.project.run(*merge, "--splice")

    assert "not a head" in refused.err
    assert {"m1", "b2"} <= set(shop.project.run("history", "app").out.split())
