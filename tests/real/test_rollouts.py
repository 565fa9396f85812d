"""Waves, budgets, gates, windows and sealed plans, with the real command on SQLite files."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder, wait_until

CREATE = 'op.execute("CREATE TABLE items (id INTEGER PRIMARY KEY)")'
BROKEN_ON_T03 = """
if "t03" in str(op.get_bind().engine.url):
    op.execute("INSERT INTO nowhere VALUES (1)")
op.execute("ALTER TABLE items ADD COLUMN note TEXT")
"""


@pytest.fixture
def shop(tmp_path: Path) -> "Shop":
    return Shop(ProjectFolder(tmp_path))


class Shop:
    """Ten tenants in prod, and what they stand at."""

    def __init__(self, project: ProjectFolder) -> None:
        self.project = project
        self.run = project.run

    def declare(self, rollout: str = "", prod: str = "", staging: bool = False) -> None:
        tenants = ", ".join(
            f'{{ name = "t{n:02}", tier = "{"internal" if n < 2 else "free"}" }}' for n in range(10)
        )
        lower = '[environments.staging]\nurl = "sqlite:///var/staging.db"\n' if staging else ""
        order = '["staging", "prod"]' if staging else '["prod"]'
        self.project.config(
            f"""
[project]
name = "shop"
order = {order}
[databases.app]
script_location = "migrations/app"
{lower}
[environments.prod]
url = "sqlite:///var/{{tenant}}.db"
tenants = [{tenants}]
{prod}
[environments.prod.rollout]
retry_delay = "10ms"
{rollout}
"""
        )
        self.project.scripts()

    def heads(self, name: str) -> list[str]:
        path = self.project.folder / f"var/{name}.db"
        if not path.exists():
            return []
        with sqlite3.connect(path) as connection:
            if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone():
                return []
            return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]

    def at(self, revision: str) -> set[str]:
        return {f"t{n:02}" for n in range(10) if self.heads(f"t{n:02}") == [revision]}


CANARY = '[[environments.prod.rollout.waves]]\nname = "canary"\nwhere = { tier = "internal" }\n'


def test_a_canary_that_fails_stops_the_rest(shop: Shop) -> None:
    shop.declare(CANARY)
    shop.project.revision("a1", None, CREATE)
    shop.run("upgrade")
    shop.project.revision("b2", "a1", BROKEN_ON_T03.replace("t03", "t01"))

    ran = shop.run("upgrade", "-o", "json", code=3)

    assert shop.at("b2") == {"t00"}
    assert ran.states()["prod/app/t01"] == "failed"
    assert ran.states()["prod/app/t05"] == "blocked"
    assert ran.json["run"]["state"] == "failed"
    shown = shop.run("show", "last")
    assert "INSERT INTO nowhere" in shown.out
    assert "orchestrator retry 2" in shown.out


def test_within_its_budget_a_wave_passes_and_its_failures_are_told(shop: Shop) -> None:
    shop.declare("max_failures = '10%'\n" + CANARY)
    shop.project.revision("a1", None, CREATE)
    shop.run("upgrade")
    shop.project.revision("b2", "a1", BROKEN_ON_T03)

    ran = shop.run("upgrade", "-o", "json", code=3)  # 10% of the 8 of the last wave is none
    assert ran.json["run"]["state"] == "failed"
    shop.declare("max_failures = [1, '1%']\n" + CANARY)
    ran = shop.run("upgrade", code=3)

    assert "run 3: done, but for 1 target; try again: orchestrator retry 3" in ran.out
    assert shop.at("b2") == {f"t{n:02}" for n in range(10)} - {"t03"}
    # Fixed by hand, it is retried in the same run.
    with sqlite3.connect(shop.project.folder / "var/t03.db") as connection:
        connection.execute("CREATE TABLE nowhere (n INTEGER)")
    shop.run("retry", "last")
    assert len(shop.at("b2")) == 10


def test_a_gate_holds_until_somebody_approves_and_then_the_run_goes_on(shop: Shop) -> None:
    shop.declare(CANARY + "gate = { approval = true }")
    shop.project.revision("a1", None, CREATE)

    ran = shop.run("upgrade", code=6)
    assert shop.at("a1") == {"t00", "t01"}
    assert "orchestrator approve 1" in ran.out
    shop.run("resume", "1", code=6)
    assert shop.at("a1") == {"t00", "t01"}, "nothing passes a gate by being resumed"
    ran = shop.run("upgrade", code=5)
    assert "resume 1" in ran.err, "nor by another run"
    shop.run("approve", "1", "--by", "ann", "--note", "fine")
    shop.run("resume", "1")

    assert len(shop.at("a1")) == 10
    assert "ann" in shop.run("show", "1").out


def test_a_new_run_keeps_the_gate_of_a_wave_that_is_through(shop: Shop) -> None:
    shop.declare(CANARY + "gate = { approval = true }")
    shop.project.revision("a1", None, CREATE)
    shop.run("upgrade", code=6)
    shop.run("abort", "1", "--yes")

    shop.run("upgrade", code=6)

    assert shop.at("a1") == {"t00", "t01"}
    shop.run("approve", "2")
    shop.run("resume", "2")
    assert len(shop.at("a1")) == 10
    # A tenant that comes later only gets what went through the gate before.
    (shop.project.folder / "var/t09.db").unlink()
    shop.run("upgrade")
    assert len(shop.at("a1")) == 10


def test_an_approval_reaches_a_run_that_waits(shop: Shop) -> None:
    shop.declare(CANARY + "gate = { approval = true }")
    shop.project.revision("a1", None, CREATE)
    started = shop.project.start("upgrade", "--wait")
    wait_until(lambda: "waits for approval" in started.err)

    shop.run("approve", "1")

    started.wait()
    assert len(shop.at("a1")) == 10


@pytest.mark.parametrize("what", ["pause", "abort"])
def test_a_running_run_is_stopped_from_another_terminal(shop: Shop, what: str) -> None:
    shop.declare("max_parallel = 1")
    held = "if 't00' not in str(op.get_bind().engine.url):\n"
    held += "    while not os.path.exists('go'):\n        time.sleep(0.05)\n    time.sleep(1)"
    shop.project.revision("a1", None, f"import os, time\n{CREATE}\n{held}")
    started = shop.project.start("upgrade", "-o", "json")
    wait_until(lambda: shop.at("a1"))

    shop.run(what, "1", *(["--yes"] if what == "abort" else []))
    (shop.project.folder / "go").touch()
    asked = time.monotonic()
    ran = started.wait(code=6 if what == "pause" else 5)

    assert time.monotonic() - asked < 30
    assert ran.json["run"]["state"] == {"pause": "paused", "abort": "aborted"}[what]
    done = shop.at("a1")
    assert 0 < len(done) < 10
    if what == "pause":
        shop.run("resume", "1")
        assert len(shop.at("a1")) == 10
    else:
        shop.run("resume", "1", code=2)
        assert shop.at("a1") == done


def test_queries_and_commands_of_a_gate_hold_a_run(shop: Shop) -> None:
    query = 'query = { sql = "SELECT count(*) FROM items", expect = 1, tries = 1 }'
    smoke = shop.project.folder / "smoke.sh"
    smoke.write_text(
        "#!/bin/sh\ncat > seen.json\ntest -e healthy || { sleep 1; echo no health; exit 4; }\n"
    )
    smoke.chmod(0o755)
    shop.declare(f"{CANARY}gate = {{ {query}, command = {{ run = ['./smoke.sh'] }} }}")
    shop.project.revision("a1", None, CREATE)

    ran = shop.run("upgrade", code=3)
    assert "0, where 1 was expected" in ran.out
    assert "no health" in ran.out
    assert "orchestrator resume 1 --override" in ran.out
    assert "skip" not in ran.out
    assert "orchestrator resume 1" in shop.run("retry", "1", code=2).err
    for tenant in ("t00", "t01"):
        with sqlite3.connect(shop.project.folder / f"var/{tenant}.db") as connection:
            connection.execute("INSERT INTO items VALUES (1)")
    ran = shop.run("resume", "1", code=3)
    assert "exit code 4: no health" in ran.out
    assert shop.at("a1") == {"t00", "t01"}
    state = json.loads((shop.project.folder / "seen.json").read_text())
    assert state["wave"] == "prod/canary"
    assert {t["state"] for t in state["targets"]} == {"done"}
    (shop.project.folder / "healthy").touch()
    shop.run("resume", "1")

    assert len(shop.at("a1")) == 10


def test_prod_requires_that_staging_has_had_it_for_a_while(shop: Shop) -> None:
    requires = 'requires = { environment = "staging", soak = "2h" }'
    shop.declare(prod=requires, staging=True)
    shop.project.revision("a1", None, CREATE)

    ran = shop.run("upgrade", "prod", code=6)
    assert "staging/app was never seen" in ran.out
    shop.run("upgrade", "staging")
    ran = shop.run("resume", "1", code=6)
    assert "has them in 2h" in ran.out
    assert shop.at("a1") == set()
    shop.run("resume", "1", "--override", "the fix for the outage")

    assert len(shop.at("a1")) == 10
    assert "the fix for the outage" in shop.run("show", "1").out


def test_a_required_environment_without_targets_holds_back(shop: Shop) -> None:
    shop.declare(prod='requires = { environment = "staging" }', staging=True)
    file = shop.project.folder / "environments.toml"
    nobody = 'url = "sqlite:///var/s-{tenant}.db"\ntenants = { files = "var/s-*.db" }'
    file.write_text(file.read_text().replace('url = "sqlite:///var/staging.db"', nobody))
    shop.project.revision("a1", None, CREATE)

    ran = shop.run("upgrade", "prod", code=6)

    assert "environment 'staging' has no tenants" in ran.out
    assert shop.at("a1") == set()
    (shop.project.folder / "var").mkdir()
    (shop.project.folder / "var/s-one.db").touch()
    ran = shop.run("resume", code=6)
    assert "staging/app/one was never seen" in ran.out


def test_nothing_starts_outside_of_a_window(shop: Shop) -> None:
    tomorrow = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(time.gmtime().tm_wday + 2) % 7]
    shop.declare(f'window = {{ days = ["{tomorrow}"], from = "10:00", to = "10:01" }}')
    shop.project.revision("a1", None, CREATE)

    ran = shop.run("upgrade", code=6)

    assert "the window of prod is closed until" in ran.out
    assert shop.at("a1") == set()
    shop.run("resume", "--override", "cannot wait")
    assert len(shop.at("a1")) == 10


class TestASealedPlan:
    """It is done exactly, or refused with what differs."""

    @pytest.fixture
    def sealed(self, shop: Shop) -> Shop:
        shop.declare(CANARY)
        shop.project.revision("a1", None, CREATE)
        shop.run("upgrade")
        shop.project.revision("b2", "a1", "op.execute('ALTER TABLE items ADD COLUMN n INTEGER')")
        shop.run("plan", "--out", "plan.json")
        return shop

    def test_is_done(self, sealed: Shop) -> None:
        sealed.run("upgrade", "--plan", "plan.json")
        assert len(sealed.at("b2")) == 10

    def test_knows_an_edited_revision(self, sealed: Shop) -> None:
        sealed.project.revision("b2", "a1", "op.execute('ALTER TABLE items ADD COLUMN m INTEGER')")
        self.refused(sealed, "the file of revision b2 of app was edited")

    def test_knows_another_destination(self, sealed: Shop) -> None:
        sealed.project.revision("c3", "b2", "op.execute('ALTER TABLE items ADD COLUMN o INTEGER')")
        self.refused(sealed, "revision c3 of app is not in the plan")

    def test_knows_a_target_that_moved(self, sealed: Shop) -> None:
        sealed.run("upgrade", "prod/app/t07")
        self.refused(sealed, "prod/app/t07 stands at b2; the plan says a1", at={"t07"})

    def test_knows_a_schema_that_was_changed_by_hand(self, sealed: Shop) -> None:
        with sqlite3.connect(sealed.project.folder / "var/t07.db") as connection:
            connection.execute("CREATE TABLE by_hand (n INTEGER)")
        self.refused(sealed, "the schema of prod/app/t07 is another")

    def test_knows_other_waves(self, sealed: Shop) -> None:
        sealed.declare("max_failures = 3\n" + CANARY)
        self.refused(sealed, "max_failures of prod's rollout was changed")

    def test_that_was_changed_is_refused(self, sealed: Shop) -> None:
        path = sealed.project.folder / "plan.json"
        path.write_text(path.read_text().replace('"budget": 0', '"budget": 9', 1))
        self.refused(sealed, "changed after it was sealed")

    def test_that_was_cut_off_is_refused(self, sealed: Shop) -> None:
        path = sealed.project.folder / "plan.json"
        path.write_text(path.read_text()[:-100])
        self.refused(sealed, "cut off")

    def test_lists_tenants_that_came_and_went(self, sealed: Shop) -> None:
        path = sealed.project.folder / "environments.toml"
        path.write_text(path.read_text().replace('name = "t09"', 'name = "t10"'))
        ran = sealed.run("upgrade", "--plan", "plan.json", "-o", "json")
        assert ran.json["run"]["appeared"] == ["prod/app/t10"]
        assert ran.json["run"]["vanished"] == ["prod/app/t09"]
        assert sealed.heads("t10") == []
        assert len(sealed.at("b2")) == 9

    def refused(self, sealed: Shop, words: str, at: set[str] = frozenset()) -> None:
        ran = sealed.run("upgrade", "--plan", "plan.json", code=5)
        assert words in ran.err
        assert sealed.at("b2") == set(at)


def test_a_rollback_brings_everything_back(shop: Shop) -> None:
    shop.declare(CANARY)
    shop.project.revision("a1", None, CREATE)
    shop.run("upgrade", "prod/app/t00")
    drop = "op.execute('ALTER TABLE items DROP COLUMN n')"
    shop.project.revision(
        "b2", "a1", "op.execute('ALTER TABLE items ADD COLUMN n INTEGER')", downgrade=drop
    )
    shop.run("upgrade")
    assert len(shop.at("b2")) == 10

    ran = shop.run("rollback", "2", code=5)
    assert "a1" in ran.out + ran.err, "it has no downgrade, and that is said first"
    shop.run("rollback", "2", "--yes")

    assert shop.at("a1") == {"t00"}
    assert all(shop.heads(f"t{n:02}") == [] for n in range(1, 10))


def test_events_are_lines_of_json(shop: Shop) -> None:
    shop.declare(CANARY)
    shop.project.revision("a1", None, CREATE)
    shop.run("upgrade", "--events", "events.jsonl")

    lines = (shop.project.folder / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]

    assert [e["event"] for e in events][:2] == ["run_started", "wave_started"]
    assert events[-1]["event"] == "run_done"
    assert sum(e["event"] == "attempt_ended" and e["state"] == "done" for e in events) == 10


def test_a_ledger_in_a_target_is_refused(shop: Shop) -> None:
    shop.declare()
    shop.project.revision("a1", None, CREATE)
    path = shop.project.folder / "environments.toml"
    text = path.read_text()
    for place in ("var/t03.db", "./var/../var/t03.db"):
        ledger = f'name = "shop"\nledger = "sqlite:///{place}"'
        path.write_text(text.replace('name = "shop"', ledger))
        ran = shop.run("upgrade", code=2)
        assert "project.ledger is the database of prod/app/t03" in ran.err
    assert not (shop.project.folder / "var").exists()
