"""A journal that can't be written lets nothing more happen."""

import time
from typing import Any

import pytest

from orchestrator.worker.jobs import Committing
from orchestrator.worker.statements.journal import Journal, NotRecorded
from tests.project_folder import wait_until

CONNECTION: Any = None
"""What commits by itself is asked for, whatever the connection is."""


def test_a_refusal_that_a_revision_caught_comes_back_at_its_end_and_at_every_commit() -> None:
    asked: list[Committing] = []
    journal = Journal(asked.append, transactional_ddl=False, mysql=True)  # type: ignore[arg-type]  # None is no
    connection: Any = None  # what is refused is not looked at further
    journal.begin("a1")
    for statement in ("ALTER TABLE a ADD b INT", "ALTER TABLE a ADD c INT"):
        with pytest.raises(NotRecorded):
            journal.session(connection, statement)
    with pytest.raises(NotRecorded):
        journal.beside("INSERT INTO a VALUES (1)")
    journal.session(connection, "SELECT 1")
    with pytest.raises(NotRecorded):
        journal.end()
    with pytest.raises(NotRecorded):
        journal.commit()
    assert asked == [Committing("a1", "ALTER TABLE a ADD b INT")]


@pytest.mark.parametrize("heard", [True, False])
def test_what_is_slow_takes_back_those_after_it_unless_nobody_hears_that(
    monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    monkeypatch.setattr("orchestrator.worker.statements.journal.SLOW", 0.01)
    asked: list[Committing] = []

    def record(committing: Committing) -> bool:
        asked.append(committing)
        return committing.waits or heard

    journal = Journal(record, transactional_ddl=False, mysql=True)
    journal.expect(["a1", "b2", "c3"])
    journal.begin("a1")
    journal.session(CONNECTION, "CREATE TABLE a (n INT)")
    wait_until(lambda: len(asked) > 1)
    journal.close()
    journal.end()

    assert asked[0] == Committing("a1", "CREATE TABLE a (n INT)", ("b2", "c3"))
    assert asked[1] == Committing("a1", "CREATE TABLE a (n INT)", (), waits=False)
    assert journal.covers("b2") is not heard
    journal.begin("b2")
    before = len(asked)
    journal.session(CONNECTION, "CREATE TABLE b (n INT)")
    assert len(asked) == before + heard


def test_what_has_committed_nothing_yet_is_taken_back_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.worker.statements.journal.SLOW", 1)
    asked: list[Committing] = []
    journal = Journal(lambda one: asked.append(one) is None, transactional_ddl=False, mysql=True)
    journal.expect(["a1", "b2", "c3"])
    journal.begin("a1")
    journal.session(CONNECTION, "CREATE TABLE a (n INT)")
    journal.end()

    journal.begin("b2")
    wait_until(lambda: len(asked) > 1)
    journal.close()

    assert asked[1] == Committing("a1", "CREATE TABLE a (n INT)", (), waits=False)
    journal.session(CONNECTION, "CREATE TABLE b (n INT)")
    assert asked[2] == Committing("b2", "CREATE TABLE b (n INT)", ("c3",))


def test_how_long_the_ledger_takes_is_not_how_long_a_revision_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.worker.statements.journal.SLOW", 1)
    asked: list[Committing] = []

    def record(committing: Committing) -> bool:
        asked.append(committing)
        time.sleep(1.5)
        return True

    monkeypatch.setattr("orchestrator.worker.statements.journal.AT_ONCE", 2)
    journal = Journal(record, transactional_ddl=False, mysql=True)
    journal.expect(["a1", "b2", "c3", "d4"])
    for revision in ("a1", "b2", "c3"):
        journal.begin(revision)
        journal.session(CONNECTION, f"CREATE TABLE {revision} (n INT)")
        time.sleep(0.1)  # so that somebody may look meanwhile
        journal.end()
    journal.close()

    assert [(one.revision, one.following) for one in asked] == [("a1", ("b2",)), ("c3", ("d4",))]
    assert journal.covers("d4")
