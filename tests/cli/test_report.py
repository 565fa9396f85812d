"""``show --html``: a run as one file, written whole, of real SQLite databases."""

import contextlib
import os
import stat
import time
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder
from tests.render.test_report import Page, assert_keeps_to_itself

SECRET = "hunter2-of-the-fleet"
CONFIG = """
[project]
name = "fleet"

[databases.app]
script_location = "migrations/app"

[environments.prod]
url = "sqlite:///${env:FLEET_SECRET}/{tenant}.db"
tenants = [{ name = "t0", tier = "internal" }, "t1", "t2"]

[environments.prod.rollout]
max_failures = 3

[[environments.prod.rollout.waves]]
name = "canary"
where = { tier = "internal" }
gate = { approval = true }
"""
FAILS = """
op.create_table('items', sa.Column('id', sa.Integer))
if 't2' in str(op.get_bind().engine.url):
    raise RuntimeError("</script><script>alert(1)</script> " + os.environ["FLEET_SECRET"])
"""


@pytest.fixture
def ran(tmp_path: Path) -> ProjectFolder:
    """A project of which a run was approved, and failed on one target."""
    project = ProjectFolder(tmp_path, {"FLEET_SECRET": SECRET})
    project.config(CONFIG)
    project.scripts()
    project.revision("a1", None, FAILS, "op.drop_table('items')", message="<b>items</b>")
    project.run("upgrade", "--no-wait", code=6)
    project.run("approve", "1", "--by", "robin <b>", "--note", "looks good")
    project.run("resume", "1", code=3)
    return project


def test_a_run_is_written_to_one_file(ran: ProjectFolder) -> None:
    text = ran.run("show")
    told = ran.run("show", "1", "--html", "report.html")
    assert told.out == text.out
    assert told.err.startswith("written: report.html (")
    path = ran.folder / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in ran.folder.iterdir() if p.name.startswith(".orchestrator-")] == []

    page = assert_keeps_to_itself(path.read_text())
    assert [row[:4] for row in page.rows] == [
        ["prod/app/t0", "✓done", "prod/canary", "empty → a1"],
        ["prod/app/t1", "✓done", "prod/rest", "empty → a1"],
        ["prod/app/t2", "✕failed", "prod/rest", "empty → empty"],
    ]
    assert page.rows[2][7].startswith("RuntimeError: </script><script>alert(1)</script>")
    said = page.text()
    assert "by robin <b>: looks good" in said
    assert "<b>items</b>" in said
    sealed = ran.run("show", "-o", "json").json
    assert sealed["run"]["digest"] in said
    assert "Timeline" in said
    assert SECRET not in path.read_text()


def test_json_and_stdout(ran: ProjectFolder) -> None:
    told = ran.run("show", "--html", "report.html", "-o", "json")
    assert told.json["run"]["id"] == 1
    assert "written: report.html" in told.err

    told = ran.run("show", "--html", "-")
    assert told.err == ""
    assert len(assert_keeps_to_itself(told.out).rows) == 3
    assert not (ran.folder / "-").exists()
    refused = ran.run("show", "--html", "-", "-o", "json", code=2)
    assert "both want stdout" in refused.err
    assert refused.json["error"]["exit_code"] == 2


def test_where_it_goes(ran: ProjectFolder) -> None:
    shared = ran.folder / "shared.html"
    shared.write_text("before")
    shared.chmod(0o644)
    (ran.folder / "link.html").symlink_to(shared)
    ran.run("show", "--html", "link.html")
    assert (ran.folder / "link.html").is_symlink()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o644
    assert Page(shared.read_text()).rows

    # A pipe, as a device would be: who runs the tests as root may replace those.
    pipe = ran.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = ran.start("show", "--html", "pipe")
    found = b""
    while not found.endswith(b"</html>\n") and (writer.process.poll() is None or not found):
        with contextlib.suppress(BlockingIOError):
            found += os.read(reader, 65_536)
        assert pipe.is_fifo()
        time.sleep(0.01)
    os.close(reader)
    writer.wait()
    assert Page(found.decode()).rows
    (ran.folder / "circle").symlink_to("circle")
    for bad, why in {
        "nowhere/report.html": "No such file or directory",
        ".": "Is a directory",
        "environments.toml/x": "Not a directory",
        "circle": "loop|symbolic links",
    }.items():
        told = ran.run("show", "--html", bad, code=2)
        assert told.err.startswith(f"error: --html {bad}: "), told
        assert any(part.lower() in told.err.lower() for part in why.split("|")), told
        assert told.out == ""
    told = ran.run("show", "9", "--html", "never.html", code=2)
    assert "has no run 9" in told.err
    assert not (ran.folder / "never.html").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(ran: ProjectFolder) -> None:
    folder = ran.folder / "closed"
    folder.mkdir(mode=0o500)
    told = ran.run("show", "--html", "closed/report.html", code=2)
    assert told.err == "error: --html closed/report.html: Permission denied\n"


def test_without_jinja_it_says_what_to_install(ran: ProjectFolder) -> None:
    (ran.folder / "none").mkdir()
    (ran.folder / "none/jinja2.py").write_text("raise ImportError('no', name='jinja2')")
    ran.environ["PYTHONPATH"] = str(ran.folder / "none")
    told = ran.run("show", "--html", "report.html", code=2)
    assert told.err == (
        "error: pages are made with Jinja2, which is not here: "
        "pip install 'alembic-orchestrator[web]'\n"
    )
    assert not (ran.folder / "report.html").exists()
    assert "run 1" in ran.run("show").out
