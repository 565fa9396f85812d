"""A journal that can't be written lets nothing more happen."""

from typing import Any

import pytest

from orchestrator.worker.jobs import Committing
from orchestrator.worker.journal import Journal, NotRecorded


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
