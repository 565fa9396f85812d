"""What the loop makes of what workers say, however much of it comes at once."""

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.actions.project import Project
from orchestrator.dispatch.observer import NullObserver
from orchestrator.dispatch.workers import Workers
from orchestrator.engines.base import Finished, Lost, Message
from orchestrator.ledger.records import LOST, CommittingRecord
from orchestrator.rollout.outcomes import Failure, Outcome, Revision, State
from orchestrator.rollout.plan import Plan, PlannedTarget
from orchestrator.runs.context import ProjectContext, RunContext, RunOptions
from orchestrator.runs.planning.layout import lay_out
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.runs.starting import drive as drive_run
from orchestrator.runs.starting import record
from orchestrator.worker.jobs import Committing, Go
from tests.project_folder import ProjectFolder

NAME = "prod/app/t0"
FILE = """
[project]
name = "shop"
[databases.app]
script_location = "migrations/app"
[environments.prod]
url = "sqlite:///var/{tenant}.db"
tenants = ["t0"]
[environments.prod.rollout]
retry_delay = "10ms"
"""
ASKS = Message(NAME, Committing("a1", "CREATE TABLE a (n INT)", ("b2", "c3")))
FEWER = Message(NAME, Committing("a1", "CREATE TABLE a (n INT)", ("b2",), waits=False))
DONE = Finished(NAME, Outcome(NAME, State.DONE, (), ("c3",), (Revision("c3", ""),)))


class ScriptedEngine:
    """Says what the test wrote for it, a batch at a time."""

    def __init__(self, *batches: list[Any]) -> None:
        self.batches = deque(batches)
        self.jobs: list[Any] = []
        self.answers: list[Any] = []
        self.busy = 0

    def capacity_of(self, _: str | None) -> int:
        return 99

    def room(self, _: str | None, __: Sequence[str | None] = ()) -> int:
        return 99

    def submit(self, _key: str, job: Any, _timeout: float, *, kind: str, place: str | None) -> None:
        assert kind == "app"
        self.jobs.append(job)
        self.busy += 1

    def wait(self, _timeout: float) -> list[Any]:
        batch = self.batches.popleft() if self.busy else []
        self.busy -= sum(isinstance(event, Finished | Lost) for event in batch)
        return batch

    def answer(self, _key: str, content: Any) -> None:
        self.answers.append(content)

    def kill(self) -> list[Any]:
        return []


@pytest.fixture
def roll(tmp_path: Path) -> Any:
    """Drive a run with an engine, and return what its ledger has of its first target."""
    project_folder = ProjectFolder(tmp_path)
    project_folder.scripts()

    def drive(engine: ScriptedEngine, tenants: str = '["t0"]') -> tuple[Any, list[Any]]:
        project_folder.config(FILE.replace('["t0"]', tenants))
        project = Project.load(tmp_path / "environments.toml")
        targets = project.targets()
        planned = [
            PlannedTarget(t.name, "prod", "app", t.server, "", 0, (), ("c3",), "c", ("c3",))
            for t in targets
        ]
        laid = lay_out(project.file.config, targets, planned, {}, "seed", waves=True)
        plan = Plan("b", "upgrade", "heads", {}, "", "", "", {}, {}, laid.waves, laid.targets)
        context = ProjectContext(
            project.file, project._secrets, (), NullObserver(), lambda _: targets
        )
        workers = Workers(project.file, project._secrets, (), 1)
        workers._engine = engine
        with ExitStack() as stack:
            ledger = stack.enter_context(context.ledger())
            running = RunContext(context, ledger, workers, RunOptions(by="kim"))
            id_ = record(running, plan)
            drive_run(running, RecordedRun(id_, plan, {t.name: t for t in targets}, {}, {}))
            attempts = [one for one in ledger.attempts(id_) if one.target == NAME]
            return ledger.targets(id_)[0], attempts

    return drive


def test_what_was_taken_back_just_before_the_end_leaves_no_doubt(roll: Any) -> None:
    engine = ScriptedEngine([ASKS], [FEWER, DONE])

    target, (attempt,) = roll(engine)

    assert (target.state, target.doubt) == (State.DONE, False)
    assert attempt.committing == (CommittingRecord("a1", "CREATE TABLE a (n INT)", ("b2",)),)
    assert engine.answers == [Go(ok=True)], "nobody waits for an answer where fewer follow"


def test_what_was_taken_back_just_before_a_worker_was_lost_was_not_begun(roll: Any) -> None:
    engine = ScriptedEngine([ASKS], [FEWER, Lost(NAME, "its worker was killed by SIGKILL")], [DONE])

    target, (lost, done) = roll(engine)

    assert [job.committing for job in engine.jobs] == [(), ("a1", "b2")]
    assert (lost.state, done.state) == (LOST, State.DONE)
    assert (target.state, target.doubt) == (State.DONE, False)


def test_over_the_budget_what_nobody_saw_the_end_of_is_only_looked_at(roll: Any) -> None:
    lost = Lost(NAME, "its worker was killed by SIGKILL")
    other = Finished("prod/app/t1", Outcome("prod/app/t1", State.FAILED, failure=Failure("no")))
    looked = Finished(NAME, Outcome(NAME, State.FAILED, failure=Failure("it stands at base")))
    engine = ScriptedEngine([other, lost], [looked])

    target, (first, second) = roll(engine, '["t0", "t1"]')

    assert [job.verify_only for job in engine.jobs] == [False, False, True]
    assert (first.state, second.state, target.state) == (LOST, State.FAILED, State.FAILED)
