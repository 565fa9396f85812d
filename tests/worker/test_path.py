"""Where a job may go from where a target stands: there, back, and on after an interruption."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, assume, given, settings

from orchestrator.config.models import Database
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.migration.path import MigrationPath, path_or_outcome
from orchestrator.worker.scripts.directory import Scripts, heads_after, load_scripts
from tests.effort import examples
from tests.worker.test_parsing import histories, write

FOLDERS = count()
Heads = tuple[str, ...]

many = settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def scripts_of(folder: Path, history: list[Any]) -> Scripts:
    write(folder, history)
    for path in (folder / "versions").glob("*.py"):
        path.write_text(path.read_text() + "\ndef downgrade(): ...\n")
    return load_scripts("app", Database(script_location=str(folder)), folder)


def job(verb: Verb, **options: Any) -> Job:
    return Job(verb, Path("environments.toml"), "", "app", "prod", **options)


def judge(scripts: Scripts, asked: Job, now: Heads) -> Outcome | MigrationPath:
    return path_or_outcome(asked, "prod/app", scripts, now)


def went(scripts: Scripts) -> tuple[list[Any], list[Heads]]:
    """All steps of an upgrade, and the heads before and after each."""
    steps = scripts.steps("upgrade", "heads", ())
    for step in steps:  # Alembic's own bookkeeping fails where one merged implies another
        below = step.revision._all_down_revisions
        assume(not any(one in scripts.applied([o]) for one in below for o in below if o != one))
    return steps, [heads_after((), steps[:n]) for n in range(len(steps) + 1)]


@many
@given(history=histories(), data=st.data())
def test_back_to_heads_reverts_what_they_lack_and_ends_there(
    tmp_path: Path, history: list[Any], data: st.DataObject
) -> None:
    scripts = scripts_of(tmp_path / str(next(FOLDERS)), history)
    steps, places = went(scripts)
    end = data.draw(st.integers(0, len(steps)))
    start = data.draw(st.integers(0, end))
    asked = job(Verb.DOWNGRADE, back_to=places[start], origin=places[end])

    path = judge(scripts, asked, places[end])

    if start == end:
        assert isinstance(path, Outcome)
        assert path.state is State.UNCHANGED
        return
    assert isinstance(path, MigrationPath), path
    assert path.expected == places[start]
    reverted = [step.revision.revision for step in path.steps]
    assert sorted(reverted) == sorted(s.revision.revision for s in steps[start:end])
    there = scripts.applied(places[end])
    for number, step in enumerate(path.steps):
        there -= {step.revision.revision}
        needed = {d for r in there for d in scripts.directory.get_revision(r)._all_down_revisions}
        assert needed <= there, "nothing before what follows it or depends on it"
        # Interrupted here, it goes on: with what is left, to the same end.
        between = heads_after(places[end], path.steps[: number + 1])
        again = judge(scripts, asked, between)
        if isinstance(again, MigrationPath):
            assert list(again.steps) == list(path.steps[number + 1 :])
        else:
            assert (again.state, again.heads) == (State.DONE, places[start])
        assert (
            again.before if isinstance(again, MigrationPath) else again.heads_before == places[end]
        )


@many
@given(history=histories(), data=st.data())
def test_an_interrupted_upgrade_goes_on_from_wherever_it_stands(
    tmp_path: Path, history: list[Any], data: st.DataObject
) -> None:
    scripts = scripts_of(tmp_path / str(next(FOLDERS)), history)
    steps, places = went(scripts)
    start = data.draw(st.integers(0, len(steps)))
    now = data.draw(st.integers(start, len(steps)))
    asked = job(Verb.UPGRADE, origin=places[start], goal=places[-1])

    found = judge(scripts, asked, places[now])

    if now == len(steps):
        assert isinstance(found, Outcome)
        assert found.state is (State.UNCHANGED if start == now else State.DONE)
        assert found.heads_before == places[start]
        return
    assert isinstance(found, MigrationPath), found
    assert {s.revision.revision for s in found.steps} == {s.revision.revision for s in steps[now:]}
    assert heads_after(places[now], found.steps) == found.expected == places[-1]
    assert found.before == places[start]
    assert {r.id for r in found.revisions} == {s.revision.revision for s in steps[start:]}
    for number, step in enumerate(steps):
        revision = step.revision.revision
        doubted = judge(scripts, replace(asked, committing=(revision,)), places[now])
        in_doubt = isinstance(doubted, Outcome) and doubted.state is State.IN_DOUBT
        assert in_doubt is (number >= now), "what is not complete by the version table"


LINE: list[Any] = [("r0", (), ()), ("r1", ("r0",), ()), ("r2", ("r1",), ()), ("r3", ("r2",), ())]


@pytest.fixture
def line(tmp_path: Path) -> Scripts:
    return scripts_of(tmp_path / "line", LINE)


@pytest.mark.parametrize(
    ("asked", "now", "message"),
    [
        (job(Verb.UPGRADE, origin=("r1",)), ("r0",), "it is at r0; the plan saw it at r1"),
        (job(Verb.UPGRADE, revision="r2", origin=("r1",)), ("r3",), "it is at r3; the plan saw"),
        (job(Verb.UPGRADE, origin=("gone",)), ("r0",), "it is at r0; the plan saw it at gone"),
        (job(Verb.UPGRADE, goal=("r2",)), ("r0",), "from r0 it would end at r3; the plan says r2"),
        (job(Verb.DOWNGRADE, back_to=("r0",), origin=("r2",)), ("r3",), "it is at r3; the plan"),
        (job(Verb.STAMP, revision="r3", origin=("r0",)), ("r1",), "it is at r1; the plan saw it"),
        (
            job(Verb.STAMP, revision="r3", purge=True, origin=("r0",)),
            ("r1",),
            "it is at r1; the plan saw it at r0",
        ),
    ],
)
def test_a_target_that_moved_is_left_alone(
    line: Scripts, asked: Job, now: Heads, message: str
) -> None:
    for verify_only in (False, True):
        found = judge(line, replace(asked, verify_only=verify_only), now)

        assert isinstance(found, Outcome)
        assert found.state is State.FAILED
        assert found.failure is not None
        assert found.failure.message.startswith(message)
        assert found.failure.moved
        assert not found.failure.retryable
        assert found.failure.next_step == "make a new plan"


def test_a_relative_revision_counts_from_the_origin(line: Scripts) -> None:
    asked = job(Verb.UPGRADE, revision="+2", origin=("r0",))
    found = judge(line, asked, ("r1",))
    assert isinstance(found, MigrationPath)
    assert found.expected == ("r2",)
    reached = judge(line, asked, ("r2",))
    assert isinstance(reached, Outcome)
    assert (reached.state, reached.heads_before, reached.heads) == (State.DONE, ("r0",), ("r2",))
    assert [r.id for r in reached.revisions] == ["r1", "r2"]


def test_looking_only_tells_where_it_stands(line: Scripts) -> None:
    found = judge(line, job(Verb.UPGRADE, origin=("r0",), verify_only=True), ("r2",))
    assert isinstance(found, Outcome)
    assert found.state is State.FAILED
    assert found.failure is not None
    assert found.failure.message == "it was interrupted; it stands at r2, nothing is half applied"
    assert not found.failure.retryable
    assert [r.id for r in found.revisions] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("now", "in_doubt"), [(("r3",), True), (("r2",), True), (("r1",), False), ((), False)]
)
def test_a_downgrade_is_complete_once_its_revision_is_gone(
    line: Scripts, now: Heads, in_doubt: bool
) -> None:
    asked = job(Verb.DOWNGRADE, back_to=(), origin=("r3",), committing=("r2",))
    found = judge(line, asked, now)
    assert (isinstance(found, Outcome) and found.state is State.IN_DOUBT) is in_doubt


def test_back_to_what_was_never_there_is_refused(line: Scripts) -> None:
    with pytest.raises(Exception, match="it is at r0, from where going back does not lead to r2"):
        judge(line, job(Verb.DOWNGRADE, back_to=("r2",)), ("r0",))


def test_a_stamp_that_was_done_is_done(line: Scripts) -> None:
    for purge in (False, True):
        asked = job(Verb.STAMP, revision="r3", origin=("r0",), purge=purge)
        found = judge(line, asked, ("r3",))
        assert isinstance(found, Outcome)
        assert (found.state, found.heads_before) == (State.DONE, ("r0",))
        assert isinstance(judge(line, asked, ("r0",)), MigrationPath)
