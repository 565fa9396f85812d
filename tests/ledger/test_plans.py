"""A hundred thousand attempts stay fast: what is asked for often is found by an index."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from orchestrator.ledger import Ledger
from orchestrator.ledger import reading as read
from orchestrator.ledger.records import NewRun, NewTarget, NewWave, Which
from orchestrator.rollout.outcomes import State
from tests.ledger.conftest import Place

MANY = 100_000
ASKED: dict[str, Select[tuple[object, ...]]] = {
    "runs": read.select_runs(20, unfinished=False),
    "unfinished": read.select_runs(20, unfinished=True),
    "run": read.select_run(1),
    "targets": read.select_targets(1, None),
    "failed targets": read.select_targets(1, [State.FAILED]),
    "attempts": read.select_attempts(1, Which.ALL, None, None),
    "open attempts": read.select_attempts(1, Which.OPEN, None, None),
    "failed attempts": read.select_attempts(1, Which.FAILED, None, None),
    "newest attempts": read.select_attempts(1, Which.NEWEST, None, None),
    "slowest attempts": read.select_attempts(1, Which.SLOWEST, None, 10),
    "attempts of one target": read.select_attempts(1, Which.ALL, "prod/app/t5", None),
    "doubts": read.select_doubts(None),
    "doubts of some": read.select_doubts(["prod/app/t5"]),
    "standings": read.select_standings("prod", "app"),
    "durations": read.select_duration("app", "p" * 64),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A ledger with a run of so many attempts."""
    place = Place(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db")
    new = (
        NewTarget(f"prod/app/t{n}", "prod", "app", "s", 0, ("r1",), ("r2",)) for n in range(MANY)
    )
    with Ledger.open(place.location) as ledger:
        ledger.create(
            NewRun("shop", "upgrade", "heads", "kim"), [NewWave("w", "prod", 0, MANY)], new
        )
    place.execute(
        "INSERT INTO orchestrator_attempts (run, position, number, started_at, ended_at, state,"
        " milliseconds, environment, database, path) SELECT 1, position, 1, 1, position, 'done',"
        f" position, environment, database, '{'p' * 64}' FROM orchestrator_targets"
    )
    return place


@pytest.mark.parametrize("asked", ASKED)
def test_no_question_walks_through_a_whole_table(filled: Place, asked: str) -> None:
    compiled = ASKED[asked].compile(
        dialect=sqlite.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy has no types for it
        compile_kwargs={"literal_binds": True},
    )
    with closing(sqlite3.connect(filled.file)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}")]
    scans = [step for step in plan if step.startswith("SCAN") and "subquery" not in step]
    # The newest runs are read from the end of their table, and no further than needed.
    allowed = asked == "runs"
    assert scans == (["SCAN orchestrator_runs"] if allowed else []) or "anon" in str(scans), plan
    if asked in ("slowest attempts", "durations"):
        assert not any("TEMP B-TREE" in step for step in plan), plan


def test_reading_a_large_run(filled: Place, record_property: Callable[[str, object], None]) -> None:
    with Ledger.open(filled.location) as ledger:
        began = time.monotonic()
        (slowest,) = ledger.attempts(1, Which.SLOWEST, limit=1)
        record_property("slowest_seconds", time.monotonic() - began)
        assert slowest.milliseconds == MANY - 1
        found = ledger.durations([("app", "p" * 64)])["app", "p" * 64]
        assert (found.count, found.milliseconds) == (300, MANY - 150.5)
        assert ledger.runs()[0].tally == {None: MANY}
