"""What CI systems and pull requests are given, by the real command on SQLite files."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from junitparser import JUnitXml

from tests.project_folder import ENV_PY, ProjectFolder, Ran
from tests.render.test_markdown import assert_harmless
from tests.render.test_reports import assert_valid_junit, assert_valid_sarif, read

CONFIG = """
[project]
name = "shop"

[databases.app]
script_location = "migrations/app"
metadata = "models:Base"

[environments.dev]
url = "sqlite:///var/{tenant}.db"
tenants = ["acme", "birch"]
"""
MODELS = """
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    note: Mapped[str | None] = mapped_column(String(50))
"""
CREATE = "op.create_table('items', sa.Column('id', sa.Integer, primary_key=True))"
FORMS = ("markdown", "junit", "sarif", "github")


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    """A project in a folder of a repository."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    folder = tmp_path / "shop"
    folder.mkdir()
    project = ProjectFolder(folder)
    project.config(CONFIG)
    project.scripts(env_py=ENV_PY)
    (folder / "models.py").write_text(MODELS)
    project.revision("a1", None, CREATE)
    return project


def annotations(ran: Ran) -> list[tuple[str, str, int, str]]:
    """Return level, file, line and title of each."""
    return [(one["level"], one["file"], int(one["line"]), one["title"]) for one in read(ran.out)]


def line(path: Path, text: str) -> int:
    """Return the line of a file that begins so."""
    lines = path.read_text().splitlines()
    (found,) = (n for n, one in enumerate(lines, 1) if one.strip().startswith(text))
    return found


def assert_in_every_form(shop: ProjectFolder, *arguments: str, code: int) -> dict[str, Ran]:
    """Run a command in every form, and read what it wrote with the readers of others."""
    ran = {form: shop.run(*arguments, "-o", form, code=code) for form in FORMS}
    assert_valid_junit(ran["junit"].out)
    assert_valid_sarif(ran["sarif"].out)
    read(ran["github"].out)
    assert_harmless(ran["markdown"].out)
    return ran


def test_a_check_is_told_at_the_column_of_the_model(shop: ProjectFolder) -> None:
    shop.run("upgrade")
    ran = assert_in_every_form(shop, "check", code=4)
    at = line(shop.folder / "models.py", "note:")
    title = "dev/app/acme, dev/app/birch: 1 difference from the models"
    assert annotations(ran["github"]) == [("error", "shop/models.py", at, title)]
    (suite,) = JUnitXml.fromstring(ran["junit"].out.encode())
    assert (suite.name, suite.tests, suite.failures) == ("app", 2, 2)
    assert "missing column items.note" in next(iter(suite)).result[0].text
    (found,) = assert_valid_sarif(ran["sarif"].out).runs[0].results or []
    assert found.rule_id == "check/differs"
    assert found.locations[0].physical_location.artifact_location.uri == "shop/models.py"
    assert "2 differ" in ran["markdown"].out
    assert "missing column items.note" in ran["markdown"].out


def test_a_failed_revision_is_told_at_its_upgrade(shop: ProjectFolder) -> None:
    shop.run("upgrade")
    path = shop.revision("b2", "a1", "op.execute('INSERT INTO nowhere VALUES (1)')")
    ran = assert_in_every_form(shop, "upgrade", code=3)
    at = line(path, "def upgrade")
    file = "shop/migrations/app/versions/b2.py"
    ((level, found, number, title),) = annotations(ran["github"])
    assert (level, found, number) == ("error", file, at)
    assert "failed in revision b2" in title
    (one,) = read(ran["github"].out)
    assert one["message"].splitlines()[0] == "no such table: nowhere"
    assert "next: it was rolled back; fix revision b2" in one["message"]
    assert "failed      dev/app/acme" in ran["github"].err  # progress is where it was
    suites = {suite.name: suite for suite in JUnitXml.fromstring(ran["junit"].out.encode())}
    assert suites["app"].errors >= 1
    assert suites["app"].errors + suites["app"].skipped == 2  # none may fail
    assert suites["run"].errors == 1

    behind = shop.run("check", "-o", "github", code=4)
    assert annotations(behind) == [("warning", file, at, "dev/app/acme, dev/app/birch: behind")]


def test_drift_is_told_at_the_database(shop: ProjectFolder) -> None:
    shop.run("upgrade")
    with closing(sqlite3.connect(shop.folder / "var/birch.db")) as connection:
        connection.execute("CREATE TABLE junk (a)")
    ran = assert_in_every_form(shop, "drift", code=4)
    at = line(shop.folder / "environments.toml", "[databases.app]")
    ((level, file, number, _),) = annotations(ran["github"])
    assert (level, file, number) == ("warning", "shop/environments.toml", at)
    assert "extra table junk" in ran["markdown"].out


def test_all_is_well(shop: ProjectFolder) -> None:
    (shop.folder / "models.py").write_text(MODELS.partition("    note:")[0])
    ran = assert_in_every_form(shop, "upgrade", code=0)
    assert ran["github"].out == ""
    ran = assert_in_every_form(shop, "check", code=0)
    assert ran["github"].out == ""
    assert json.loads(ran["sarif"].out)["runs"][0]["results"] == []
    assert "2 in sync" in ran["markdown"].out


def test_a_mistake_in_the_file_is_told_at_its_line_in_every_form(shop: ProjectFolder) -> None:
    path = shop.folder / "environments.toml"
    secret = "tenants = ['x']\nurll = 'mysql+pymysql://app:hunter2@db/x'\n"
    path.write_text(f"{CONFIG}\n[environments.prod]\n{secret}")
    ran = assert_in_every_form(shop, "check", code=2)
    errors = annotations(ran["github"])
    assert {file for _, file, _, _ in errors} == {"shop/environments.toml"}
    assert line(path, "urll") in {number for _, _, number, _ in errors}
    assert len(errors) == ran["markdown"].err.count("environments.toml:")
    assert ran["markdown"].out.count("```") == 2
    for one in ran.values():
        assert "hunter2" not in one.out + one.err
        assert one.err.startswith("error: ")
    (suite,) = JUnitXml.fromstring(ran["junit"].out.encode())
    assert suite.errors == 1


def test_an_error_without_a_place_is_told_in_every_form(shop: ProjectFolder) -> None:
    ran = assert_in_every_form(shop, "check", "nowhere", code=2)
    ((_, file, number, title),) = annotations(ran["github"])
    assert (file, number) == ("shop/environments.toml", 1)
    assert "nowhere" in title
    for command in ("plan", "show"):
        page = shop.run(command, "nowhere", "-o", "markdown", code=2).out
        assert "### orchestrator: no answer" in page
        assert_harmless(page)


def test_a_plan_and_a_run_are_comments(shop: ProjectFolder) -> None:
    page = shop.run("plan", "--out", "plan.json", "-o", "markdown").out
    assert_harmless(page)
    assert "2 targets: 2 to upgrade" in page
    assert "orchestrator upgrade `--plan` plan.json" in page
    assert "| dev/app | 2 | empty → a1 | 1 |  |" in page
    shop.run("upgrade", "--plan", "plan.json")
    page = shop.run("show", "-o", "markdown").out
    assert_harmless(page)
    assert "run 1: done" in page


def test_a_hostile_migration_pings_nobody_and_gives_no_orders(shop: ProjectFolder) -> None:
    said = (
        "</summary></details>\n\n# @octocat `<img>`|\n::error::%0A\n::set-output name=a::b\x1b[31m"
    )
    shop.config(CONFIG.replace('"acme"', '"x-@octocat"').replace(', "birch"', ""))
    shop.revision("a1", None, f"raise ValueError({said!r})", message="hello @octocat, see #12")
    for arguments, code in ((["plan"], 0), (["show"], 0)):
        if arguments == ["show"]:
            shop.run("upgrade", "-y", code=3)
        page = shop.run(*arguments, "-o", "markdown", code=code).out
        assert "octocat" in page
        assert_harmless(page)
    ran = assert_in_every_form(shop, "upgrade", "-y", code=3)
    ((_, file, _, title),) = annotations(ran["github"])
    assert title == "dev/app/x-@octocat: failed in revision a1"
    assert file == "shop/migrations/app/versions/a1.py"
    assert "::set-output name=a::b" in read(ran["github"].out)[0]["message"]
    assert [one for one in ran["github"].out.splitlines() if not one.startswith("::error ")] == []


def test_forms_that_a_command_has_not_are_refused(shop: ProjectFolder) -> None:
    for command in ("plan", "show"):
        told = shop.run(command, "-o", "junit", code=2).err
        assert "'junit' is not one of 'text', 'json', 'markdown'" in told
    told = shop.run("upgrade", "--sql", "out", "-o", "junit", code=2).err
    assert "--sql tells what it wrote as text or JSON, not as junit" in told
    assert not (shop.folder / "out").exists()


def test_what_is_read_is_utf_8_whatever_the_terminal_speaks(shop: ProjectFolder) -> None:
    path = shop.folder / "environments.toml"
    path.write_text(CONFIG.replace('"acme"', '"café-日本"'))
    shop.run("upgrade")
    shop.environ["PYTHONIOENCODING"] = "latin-1"
    ran = shop.start("check", "-o", "junit").wait(4)
    assert "dev/app/café-日本" in [
        case.name for suite in JUnitXml.fromstring(ran.out.encode()) for case in suite
    ]
    assert_valid_sarif(shop.start("check", "-o", "sarif").wait(4).out)


def test_reports_are_written_besides(shop: ProjectFolder) -> None:
    """One command, every form: nothing is compared or upgraded twice for another reader."""
    files = {form: shop.folder / f"out.{form}" for form in (*FORMS, "json")}
    asked = [f"--report={form}={path}" for form, path in files.items()]
    ran = shop.run("check", *asked, code=4)
    assert "2 behind" in ran.out
    assert json.loads(files["json"].read_text())["exit_code"] == 4
    assert_valid_sarif(files["sarif"].read_text())
    assert_valid_junit(files["junit"].read_text())
    assert_harmless(files["markdown"].read_text())
    upgraded = shop.run("upgrade", "--yes", "-o", "json", f"--report=junit={files['junit']}")
    assert upgraded.json["exit_code"] == 0
    assert len(list(JUnitXml.fromfile(str(files["junit"])))) >= 1
    shop.run("plan", f"--report=markdown={files['markdown']}")
    assert "Nothing to do" in files["markdown"].read_text()
    shop.config(CONFIG.replace("[project]", "[projects]"))
    shop.run("check", f"--report=sarif={files['sarif']}", code=2)
    assert "did you mean" in files["sarif"].read_text()


@pytest.mark.parametrize("bad", ["junit", "junit=", "=x", "yaml=x", "text=x", "junit=no/where.xml"])
def test_a_report_that_can_not_be_written_is_told_at_once(shop: ProjectFolder, bad: str) -> None:
    refused = shop.run("upgrade", "--yes", "--report", bad, code=2)
    assert "--report" in refused.err
    assert "no ledger yet" in shop.run("runs", code=2).err
    if bad == "yaml=x":
        assert "markdown, junit, sarif, github" in refused.err
