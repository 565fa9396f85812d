"""What a migration is doing: the revision, its statements, and which of them stay."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, event

from orchestrator.worker.statements.journal import in_autocommit

_CHANGES_NOTHING = re.compile(
    r"\s*(?:/\*.*?\*/\s*)?(SELECT|SHOW|PRAGMA|SET|EXPLAIN|DESC|DESCRIBE|SAVEPOINT|RELEASE)\b",
    re.IGNORECASE | re.DOTALL,
)
_ROLLS_BACK = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_COMMITS = re.compile(r"\s*(COMMIT|END|BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_MOST_STATEMENTS = 500


class StatementRecorder:
    """Records the statements of the revision that is running, for the report of its failure."""

    def __init__(self, engine: Engine, on_revision: Callable[[str], bool | None]) -> None:
        self.revision: str | None = None
        self.executed: list[str] = []
        """Statements of this revision that were executed and may have changed something."""
        self.statement: str | None = None
        """The statement that is running or failed."""
        self.committed = False
        """A statement of this revision ran outside of a transaction."""
        self.autocommit = False
        """The latest statement runs outside of one."""
        self._on_revision = on_revision
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "commit", self._commit)
        self._within = False
        self._start = 0
        """Where this revision's statements begin: a transaction may span several revisions."""

    @property
    def staying(self) -> tuple[str, ...]:
        """Statements that stay on a server whose DDL commits: all up to the last that is no DML.

        What was written after that is rolled back with the failed revision's transaction.
        """
        failed = self.statement
        if failed and not _ROLLS_BACK.match(failed) and not _CHANGES_NOTHING.match(failed):
            return tuple(self.executed)  # DDL that failed has committed what was before it
        last = len(self.executed)
        while last and _ROLLS_BACK.match(self.executed[last - 1]) and not self.committed:
            last -= 1
        return tuple(self.executed[:last])

    def begin(self, revision: str) -> bool | None:
        """A revision starts. Returns what ``on_revision`` does."""
        self.revision, self._within, self._start = revision, True, len(self.executed)
        return self._on_revision(revision)

    def replayed(self, revision: str, executed: Sequence[str], failed: str | None) -> None:
        """What a revision sent was sent again: these were executed, and ``failed`` failed."""
        self.revision, self._within, self._start = revision, True, len(self.executed)
        self.autocommit = False
        for statement in executed:
            self._executed(statement)
        self.statement = failed
        self._within = failed is not None

    def committed_whole(self) -> None:
        """The revision was committed with its version; nothing of it is open any more."""
        self.revision, self.statement, self.executed, self.committed = None, None, [], False

    def end(self) -> None:
        """Its function returned; Alembic's own commit follows, now or after later revisions."""
        self._within = False

    def _commit(self, _: Connection) -> None:
        if self._within:
            self._commit_early()
        else:
            self.committed_whole()

    def _commit_early(self) -> None:
        """Earlier revisions are complete with their versions; this one so far stays without."""
        del self.executed[: self._start]
        self._start = 0
        self.committed = self.committed or bool(self.executed)

    def _before(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if self.revision is not None:
            self.statement, self.autocommit = statement, in_autocommit(connection)

    def _after(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        self._executed(statement)

    def _executed(self, statement: str) -> None:
        self.statement = None
        if self.revision is None or _CHANGES_NOTHING.match(statement):
            return
        if _COMMITS.match(statement):
            self._commit_early()
            return
        self.committed = self.committed or self.autocommit
        if len(self.executed) < _MOST_STATEMENTS:
            self.executed.append(statement)
