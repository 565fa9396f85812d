"""Has a revision recorded before it changes what can't be rolled back with its version row."""

import threading
from collections.abc import Callable

from sqlalchemy import Connection

from orchestrator.worker.jobs import Committing
from orchestrator.worker.statements import Kind, kinds

Record = Callable[[Committing], bool]
"""Writes it down somewhere safe; whether that was done."""


class NotRecorded(Exception):
    """A revision was about to commit something, and the run's record of that can't be written."""


class Journal:
    """Watches the statements of revisions, and asks once for each that may leave something behind.

    Guarantees: ``record`` has returned true before the first statement of a revision is executed,
    or the first COMMIT is done, that would outlast the revision if the process died right then.
    Where it returns false, that revision executes and commits nothing any more.

    It sees what goes through SQLAlchemy, on whatever engine. It does not see what a driver's own
    cursor executes (``op.get_bind().connection.cursor()``), nor what a program does that a
    migration starts.
    """

    def __init__(self, record: Record, *, transactional_ddl: bool, mysql: bool) -> None:
        self._record = record
        self._transactional_ddl = transactional_ddl
        self._mysql = mysql
        self._revision: str | None = None
        self._asked = False
        self._touched = False
        """This revision executed something that a COMMIT would keep."""
        self._refused: NotRecorded | None = None
        self._one_at_a_time = threading.Lock()

    def begin(self, revision: str) -> None:
        """A revision starts."""
        self._revision, self._asked, self._touched = revision, False, False

    def end(self) -> None:
        """Its function returned. Raises ``NotRecorded`` where it has caught that."""
        self._revision = None
        self._assert_not_refused()

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
            if not self._record(Committing(self._revision, statement)):
                self._refused = NotRecorded(
                    f"the run's record can't be written, so revision {self._revision} was stopped "
                    "before it changed anything that can't be rolled back"
                )
                raise self._refused
            self._asked = True


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
