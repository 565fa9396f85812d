"""The commands of runs, on real SQLite databases."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder, Ran
from tests.real.test_terminal import Terminal

CONFIG = """
[project]
name = "fleet"

[databases.app]
script_location = "migrations/app"

[environments.prod]
url = "sqlite:///var/{tenant}.db"
tenants = [{ name = "t0", tier = "internal" }, { name = "t1", tier = "internal" }, "t2", "t3"]
"""
WAVES = """
[[environments.prod.rollout.waves]]
name = "canary"
where = { tier = "internal" }
gate = { approval = true }
"""
CREATE = "op.create_table('items', sa.Column('id', sa.Integer))"
BREAKS = f"{CREATE}\nif 't2' in str(op.get_bind().engine.url) and not os.path.exists('fixed'):\n"
BREAKS += "    op.execute('INSERT INTO nowhere VALUES (1)')"


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    """A project with a canary that somebody must approve, and a revision to be applied."""
    project = ProjectFolder(tmp_path)
    project.config(CONFIG + WAVES)
    project.scripts()
    project.revision("a1", None, CREATE, "op.drop_table('items')")
    return project


def ledger(shop: ProjectFolder, sql: str) -> list[tuple[object, ...]]:
    """Read the ledger, past the orchestrator."""
    with closing(sqlite3.connect(shop.folder / ".orchestrator/ledger.db")) as connection:
        return connection.execute(sql).fetchall()


def edit(shop: ProjectFolder, old: str, new: str) -> None:
    """Change the project's file."""
    path = shop.folder / "environments.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def run_of(ran: Ran) -> tuple[int, str]:
    """Return which run a command drove, and how it was left."""
    return ran.json["run"]["id"], ran.json["run"]["state"]


def test_a_plan_is_sealed_done_approved_and_finished(shop: ProjectFolder) -> None:
    sealed = shop.run("plan", "--out", "p.json")
    assert "run it:  orchestrator upgrade --plan p.json" in sealed.out
    assert json.loads((shop.folder / "p.json").read_text())["digest"] in sealed.out
    assert not [path for path in shop.folder.iterdir() if path.name.startswith(".p.json")]

    waits = shop.run("upgrade", "--plan", "p.json", "--events", "e.jsonl", code=6)
    assert waits.out.splitlines()[-1] == (
        "run 1: waiting, prod/canary waits for approval; "
        "go on with: orchestrator approve 1 && orchestrator resume 1"
    )
    shop.run("approve", "last", "--by", "kim", "--note", "good", "--wave", "canary")
    assert shop.run("resume", "--events", "e.jsonl").out.splitlines()[-1] == "run 1: done"

    shown = shop.run("show").out
    assert "approved  prod/canary, by kim: good" in shown
    assert shown.splitlines()[-1] == "run 1: done"
    (run,) = shop.run("runs", "-o", "json").json["runs"]
    assert (run["state"], run["states"]) == ("done", {"done": 4})
    lines = [json.loads(line) for line in (shop.folder / "e.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines if line["event"].startswith("run_")] == [
        "run_started",
        "run_waiting",
        "run_resumed",
        "run_done",
    ]


def test_a_bad_plan_is_refused_and_nothing_starts(shop: ProjectFolder) -> None:
    shop.run("plan", "--out", "p.json")
    good = (shop.folder / "p.json").read_text()
    for text, words in (
        (good.replace('"budget": 0', '"budget": 9'), "it was changed after it was sealed"),
        (good[:-20], "cut off"),
        ("[1]", "it is not a plan"),
        ("\x00", "it is no JSON"),
    ):
        (shop.folder / "p.json").write_text(text)
        ran = shop.run("upgrade", "--plan", "p.json", "--yes", code=5)
        assert words in ran.err
    (shop.folder / "p.json").write_bytes(b"\xff\xfe")
    shop.run("upgrade", "--plan", "p.json", "--yes", code=5)
    assert "No such file" in shop.run("upgrade", "--plan", "nope.json", code=2).err
    assert "Is a directory" in shop.run("upgrade", "--plan", ".", code=2).err

    (shop.folder / "p.json").write_text(good)
    shop.revision("a1", None, f"{CREATE}\nprint('edited')", "op.drop_table('items')")
    ran = shop.run("upgrade", "--plan", "p.json", code=5)
    assert "the file of revision a1 of app was edited" in ran.err
    assert not (shop.folder / "var").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["prod"],
        ["--revision", "a1"],
        ["--where", "tier=a"],
        ["--exclude", "prod"],
        ["--dry-run"],
        ["--sql", "out"],
    ],
)
def test_a_plan_says_it_all(shop: ProjectFolder, arguments: list[str]) -> None:
    assert "leave out" in shop.run("upgrade", "--plan", "p.json", *arguments, code=2).err


def test_a_plan_that_knows_too_little_is_not_sealed(shop: ProjectFolder) -> None:
    (shop.folder / "var").mkdir()
    (shop.folder / "var/t1.db").write_text("no database at all, and long enough to be none" * 99)
    assert "prod/app/t1" in shop.run("plan", code=3).out
    assert "can't be sealed" in shop.run("plan", "--out", "p.json", code=5).err
    assert not (shop.folder / "p.json").exists()


def test_a_plan_goes_where_it_can_be_written(shop: ProjectFolder) -> None:
    assert "--out nowhere/p.json" in shop.run("plan", "--out", "nowhere/p.json", code=2).err
    assert "--out ." in shop.run("plan", "--out", ".", code=2).err


def test_a_protected_environment_asks_only_where_something_would_be_done(
    shop: ProjectFolder,
) -> None:
    edit(shop, WAVES, "")
    edit(shop, "[environments.prod]", "[environments.prod]\nprotected = true")
    refused = shop.run("upgrade", code=5)
    assert "Upgrade to heads: 4 targets\n  prod  4 app  protected\n" in refused.err
    assert "no terminal to ask on; pass --yes" in refused.err
    assert ledger(shop, "SELECT count(*) FROM orchestrator_runs") == [(0,)]

    shop.run("upgrade", "--yes")
    assert "Nothing to do: 4 targets are at head." in shop.run("upgrade").out


def test_what_failed_is_tried_again_or_left_out(shop: ProjectFolder) -> None:
    edit(shop, WAVES, "")
    shop.revision("a1", None, BREAKS)
    failed = shop.run("upgrade", "-o", "json", code=3)
    assert run_of(failed) == (1, "failed")
    shown = shop.run("show").out
    assert "failed: prod/app/t2" in shown
    assert "INSERT INTO nowhere VALUES (1)" in shown
    assert "orchestrator retry 1" in shown

    assert run_of(shop.run("retry", "last", "-o", "json", code=3)) == (1, "failed")
    (shop.folder / "fixed").touch()
    assert run_of(shop.run("retry", "1", "prod/app/t2", "-o", "json")) == (1, "done")


def test_a_run_goes_on_without_a_target(shop: ProjectFolder) -> None:
    edit(shop, WAVES, "")
    shop.revision("a1", None, BREAKS)
    shop.run("upgrade", code=3)
    assert "wants a reason" in shop.run("skip", "1", "prod/app/t2", "--reason", " ", code=2).err
    shop.run("skip", "1", "prod/app/t2", "--reason", "leaves us")
    assert run_of(shop.run("resume", "1", "-o", "json")) == (1, "done")
    assert "leaves us" in shop.run("show").out


def test_a_rollback_says_what_it_would_do_and_asks(shop: ProjectFolder) -> None:
    edit(shop, WAVES, "")
    shop.run("upgrade")
    told = shop.run("rollback", "last", "--dry-run")
    assert "Roll back run 1: 4 targets" in told.out
    assert "Roll back run 1: 4 targets" in shop.run("rollback", "1", code=5).err
    with closing(sqlite3.connect(shop.folder / "var/t1.db")) as tenant:
        tenant.execute("UPDATE alembic_version SET version_num = 'elsewhere'")
        tenant.commit()
    answer = shop.run("rollback", "1", "--dry-run", "-o", "json").json
    assert (answer["run"], answer["moved"]) == (1, ["prod/app/t1"])

    assert run_of(shop.run("rollback", "1", "--yes", "-o", "json")) == (2, "done")
    states = shop.run("status", "--heads", "-o", "json", code=None).states()
    assert states == {
        "prod/app/t0": "empty",
        "prod/app/t1": "unknown_revision",
        "prod/app/t2": "empty",
        "prod/app/t3": "empty",
    }
    assert "rollback of 1" in shop.run("runs").out


def test_a_rollback_names_what_can_not_be_reversed_first(shop: ProjectFolder) -> None:
    edit(shop, WAVES, "")
    shop.revision("a1", None, CREATE)
    shop.run("upgrade")
    told = shop.run("rollback", "last", code=5).err
    assert told.startswith("1 revision can't be reversed")
    asked = shop.run("plan", "-o", "json").json
    assert asked["revisions"] == []


def test_pause_abort_and_their_limits(shop: ProjectFolder) -> None:
    shop.run("upgrade", code=6)
    assert "orchestrator resume 1" in shop.run("pause", "1").out
    assert "no terminal" in shop.run("abort", "1", code=5).err
    assert shop.run("abort", "1", "--yes", "-o", "json").json["command"] == "abort"
    for command in (["pause", "1"], ["abort", "1", "--yes"], ["resume", "1"], ["approve", "1"]):
        assert "run 1 is aborted" in shop.run(*command, code=2).err
    assert shop.run("show").out.splitlines()[-1].startswith("run 1: aborted")


def test_which_run_is_meant(shop: ProjectFolder) -> None:
    for command in (["resume"], ["show", "last"], ["runs"]):
        assert "there is no ledger yet: nothing was run" in shop.run(*command, code=2).err
    shop.run("upgrade", "--exclude", "prod/app/t1", "--exclude", "prod/app/t3", code=6)
    shop.run("upgrade", "prod/app/t1", "prod/app/t3", code=6)
    several = shop.run("resume", code=2).err
    assert "say which:\n  2  waiting  upgrade" in several
    assert "\n  1  waiting  upgrade" in several
    for bad in ("x", "1" * 30, "٣"):
        assert "a run is a number, or last" in shop.run("show", "--", bad, code=2).err
    assert "has no run 99" in shop.run("show", "99", code=2).err
    assert shop.run("runs", "--limit", "1").out.count("waiting") == 1


def test_a_closed_gate_is_passed_with_a_reason(shop: ProjectFolder) -> None:
    shop.run("upgrade", code=6)
    shop.run("resume", "--override", "hot [red]fix")
    assert "prod/canary: approval, by " in (shown := shop.run("show").out)
    assert "hot [red]fix" in shown


def test_runs_and_waves_are_completed(shop: ProjectFolder) -> None:
    def completed(*words: str) -> list[str]:
        shop.environ = {
            "COMP_WORDS": " ".join(["orchestrator", *words]),
            "COMP_CWORD": str(len(words)),
            "_ORCHESTRATOR_COMPLETE": "complete_bash",
        }
        try:
            return shop.run(code=None).out.split()
        finally:
            shop.environ = {}

    assert completed("show", "") == ["last"]
    shop.run("upgrade", "--exclude", "prod/app/t1", "--exclude", "prod/app/t3", code=6)
    shop.run("upgrade", "prod/app/t1", "prod/app/t3", code=6)
    assert completed("show", "") == ["last", "2", "1"]
    assert completed("approve", "1", "--wave", "prod/") == ["prod/canary", "prod/rest"]


@pytest.mark.parametrize(("typed", "code", "state"), [("y\r", 0, "done"), ("n\r", 6, "waiting")])
def test_on_a_terminal_approval_is_asked_for(
    shop: ProjectFolder, typed: str, code: int, state: str
) -> None:
    terminal = Terminal(shop, "upgrade")
    terminal.until("Go on after prod/canary? [y/n]")
    terminal.type(typed)
    assert terminal.end() == code, terminal.screen
    assert ledger(shop, "SELECT state FROM orchestrator_runs") == [(state,)]
    assert terminal.screen.count("Go on after prod/canary?") == 1


def test_on_a_terminal_nobody_is_asked_who_does_not_wait(shop: ProjectFolder) -> None:
    terminal = Terminal(shop, "upgrade", "--no-wait")
    assert terminal.end() == 6, terminal.screen
    assert "Go on after" not in terminal.screen


def test_ctrl_c_at_the_question_changes_and_records_nothing(shop: ProjectFolder) -> None:
    edit(shop, "[environments.prod]", "[environments.prod]\nprotected = true")
    terminal = Terminal(shop, "upgrade")
    terminal.until("Go ahead?")
    time.sleep(0.5)  # long enough for the live view to be drawn over the question
    terminal.type("\x03")
    assert terminal.end() == 130, terminal.screen
    assert "━" not in terminal.screen.partition("Go ahead?")[2]
    assert ledger(shop, "SELECT count(*) FROM orchestrator_runs") == [(0,)]
    assert not (shop.folder / "var").exists()


def test_a_run_that_is_approved_from_elsewhere_goes_on(shop: ProjectFolder) -> None:
    waiting = shop.start("upgrade", "--wait", "-o", "json")
    while "waits for approval" not in waiting.err:
        assert waiting.process.poll() is None, waiting.err
    told = shop.run("approve", "1").out
    assert "it goes on" in told
    assert run_of(waiting.wait(0)) == (1, "done")
