"""Has a revision recorded before it changes what can't be rolled back with its version row."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from orchestrator.worker.jobs import Committing
from orchestrator.worker.statements.meaning import Kind, kinds

Record = Callable[[Committing], bool]
"""Writes it down somewhere safe; whether that was done. Returns at once where it does not wait."""

AT_ONCE = 10
"""Revisions that are recorded together where each of them commits."""
SLOW = 0.1
"""Seconds after which a revision is worth a record of its own."""


class NotRecorded(Exception):
    """A revision was about to commit something, and the run's record of that can't be written."""


class Journal:
    """Watches the statements of revisions, and asks before one may leave something behind.

    Guarantees: ``record`` has returned true for a revision before the first of its statements is
    executed, or the first COMMIT is done, that would outlast the revision if the process died right
    then. Where it returns false, that revision executes and commits nothing any more.

    Where DDL commits, it asks for several revisions at once, for as long as they are quick: what is
    recorded and was not begun looks as if it had, after a crash. Once one is slow, those after it
    are taken back, and itself where it has committed nothing yet.

    It sees what goes through SQLAlchemy, on whatever engine. It does not see what a driver's own
    cursor executes (``op.get_bind().connection.cursor()``), nor what a program does that a
    migration starts.
    """

    def __init__(self, record: Record, *, transactional_ddl: bool, mysql: bool) -> None:
        self._record = record
        self._transactional_ddl = transactional_ddl
        self._mysql = mysql
        self._ahead: Sequence[str] = ()
        """The revisions that are to run, in order."""
        self._leave: Committing | None = None
        """What was recorded last, while revisions may begin without asking again."""
        self._revision: str | None = None
        self._began = 0.0
        self._asked = False
        self._touched = False
        """This revision executed something that a COMMIT would keep."""
        self._refused: NotRecorded | None = None
        self._one_at_a_time = threading.Lock()
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

    def expect(self, revisions: Sequence[str]) -> None:
        """These are to run, in this order."""
        self._ahead = revisions

    def covers(self, revision: str) -> bool:
        """Whether a revision was recorded with one before it: then it is to be completed."""
        leave = self._leave
        return leave is not None and revision in leave.following

    def begin(self, revision: str) -> None:
        """A revision starts."""
        with self._one_at_a_time:
            self._revision, self._asked, self._touched = revision, False, False
            self._began = time.monotonic()

    def end(self) -> None:
        """Its function returned. Raises ``NotRecorded`` where it has caught that."""
        with self._one_at_a_time:
            self._revision = None
        self._assert_not_refused()

    def close(self) -> None:
        """Nothing is asked any more."""
        self._closed.set()
        if self._watch is not None:
            self._watch.join()

    def session(self, connection: Connection, statement: str) -> None:
        """Look at a statement of the session's own connection. Raises ``NotRecorded``."""
        if self._is_over:
            return
        found = set(parts := kinds(statement, mysql=self._mysql))
        if found == {Kind.READS}:
            return
        self._assert_not_refused()
        ends = Kind.ENDS in found and (self._touched or len(parts) > 1)
        commits = Kind.OTHER in found and not self._transactional_ddl
        if ends or commits or in_autocommit(connection):
            self._ask(statement)
        self._touched = self._touched or found != {Kind.ENDS}

    def beside(self, statement: str) -> None:
        """Look at a statement of another connection, which has a transaction of its own.

        Raises ``NotRecorded``.
        """
        if self._is_over or set(kinds(statement, mysql=self._mysql)) <= {Kind.READS, Kind.CALLS}:
            return
        self._assert_not_refused()
        self._ask(statement)

    def commit(self) -> None:
        """Look at a COMMIT of the session's own connection. Raises ``NotRecorded``."""
        self._assert_not_refused()
        if self._revision is not None and self._touched and not self._asked:
            self._ask("COMMIT")

    @property
    def _is_over(self) -> bool:
        """Whether there is nothing to ask any more."""
        return self._refused is None and (self._revision is None or self._asked)

    def _assert_not_refused(self) -> None:
        if self._refused is not None:
            raise self._refused

    def _ask(self, statement: str) -> None:
        with self._one_at_a_time:  # a revision may use threads
            self._assert_not_refused()
            if self._asked or self._revision is None:
                return
            if not self.covers(self._revision):
                self._leave = self._recorded(self._revision, statement)
                self._began = time.monotonic()  # that the ledger is slow says nothing of it
            self._asked = True

    def _recorded(self, revision: str, statement: str) -> Committing:
        committing = Committing(revision, statement, self._following(revision))
        if not self._record(committing):
            self._refused = NotRecorded(
                f"the run's record can't be written, so revision {revision} was stopped "
                "before it changed anything that can't be rolled back"
            )
            raise self._refused
        if committing.following and self._watch is None:
            self._watch = threading.Thread(target=self._take_back_where_slow, daemon=True)
            self._watch.start()
        return committing

    def _following(self, revision: str) -> tuple[str, ...]:
        if self._transactional_ddl or revision not in self._ahead:
            return ()
        first = self._ahead.index(revision) + 1
        return tuple(self._ahead[first : first + AT_ONCE - 1])

    def _take_back_where_slow(self) -> None:
        while not self._closed.wait(SLOW):
            with self._one_at_a_time:
                if self._revision is not None and time.monotonic() - self._began > SLOW:
                    self._take_back(self._revision)

    def _take_back(self, slow: str) -> None:
        leave = self._leave
        if leave is None or slow not in (leave.revision, *leave.following):
            return
        begun = (leave.revision, *leave.following).index(slow) + self._asked
        fewer = replace(leave, following=leave.following[: max(0, begun - 1)], waits=False)
        # Where nobody hears it, what is recorded is to be completed.
        if fewer.following != leave.following and self._record(fewer):
            self._leave = fewer


def in_autocommit(connection: Connection) -> bool:
    """Whether each statement on a connection commits itself. Costs no round trip."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    driver = connection.connection.dbapi_connection
    backend = connection.dialect.name
    if backend == "sqlite":
        return getattr(driver, "isolation_level", "") is None and not getattr(
            driver, "in_transaction", False
        )
    if backend == "postgresql":
        return getattr(driver, "autocommit", False) is True
    asked = getattr(driver, "get_autocommit", None)  # PyMySQL, mysqlclient: what the server said
    return bool(asked()) if callable(asked) else False
