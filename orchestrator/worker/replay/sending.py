"""Sends recorded statements to a driver, in as few round trips as it can."""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from orchestrator.worker.replay.recording import How, Sent
from orchestrator.worker.statements.meaning import is_plain_statement

_ALONE = re.compile(
    r"\b(?:PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE|CALL|EXECUTE|SQL_MODE)\b", re.IGNORECASE
)
"""Of MySQL: it keeps the text of some, with what separates it from the next; others may have
several results; and how the parameters of what follows are quoted depends on ``sql_mode``."""


_MOST_TEXT = 256 * 1024
"""Characters that are sent to MySQL at once: with four bytes each, what its older servers take
where ``max_allowed_packet`` is not set."""
ONE_ROW = Sent(
    "SET @orchestrator_moved = IF(ROW_COUNT() = 1, 1, (SELECT 1 UNION SELECT 2))", None, How.BARE
)
"""MySQL and MariaDB: fails unless the statement before it has changed exactly one row."""

COMMIT = Sent("COMMIT", None, How.BARE)


class Failed(Exception):
    """A statement failed; those before it were executed, none after it was."""

    def __init__(self, at: int, error: DBAPIError) -> None:
        self.at, self.error = at, error
        super().__init__(str(error))


class Sender:
    """Sends recorded statements on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        driver = connection.dialect.driver
        self.joins_revisions = driver == "psycopg" and _has_pipeline()
        """Whether several revisions gain from being sent together."""
        self.takes_commit = driver == "pymysql"
        """Whether a COMMIT gains from being sent with what it commits."""
        self._lets_several = False

    def skip_commit(self) -> None:
        """Let SQLAlchemy's next COMMIT send nothing: it was sent with what it commits."""
        dialect: Any = self._connection.dialect

        def do_commit(_: Any) -> None:
            self.skip_no_commit()

        dialect.do_commit = do_commit

    def skip_no_commit(self) -> None:
        """Let SQLAlchemy's COMMIT be sent, as ever."""
        vars(self._connection.dialect).pop("do_commit", None)

    def send(self, all_of: Sequence[Sent]) -> list[int]:
        """Execute statements in their order, and return how many rows each is said to have changed.

        In one round trip through psycopg's pipeline, or where PyMySQL can send several at once.
        Raises ``Failed`` with the first error; nothing after that statement was executed.
        """
        driver: Any = self._connection.connection.dbapi_connection
        done: list[int] = []
        groups = self._groups(all_of)
        if self.takes_commit and not self._lets_several and len(groups) < len(all_of):
            _let_several(driver, on=True)
            self._lets_several = True
        for group in groups:
            counts: list[int] = []
            try:
                self._send(driver, group, counts)
            except self._connection.dialect.loaded_dbapi.Error as error:
                at = len(counts)
                wrapped = _wrapped(self._connection, driver, group[at], error)
                raise Failed(len(done) + at, wrapped) from error
            done += counts
        return done

    def _groups(self, all_of: Sequence[Sent]) -> list[list[Sent]]:
        """Put together what can go together."""
        groups: list[list[Sent]] = []
        together = False
        for sent in all_of:
            can = self._may_join(sent)
            if can and together:
                groups[-1].append(sent)
            else:
                groups.append([sent])
            together = can
        return groups

    def _may_join(self, sent: Sent) -> bool:
        # Of one for many rows, that its first rows are there does not tell that all are.
        if sent.how is How.MANY or not is_plain_statement(sent.statement):
            return False
        return self.joins_revisions or (self.takes_commit and not _ALONE.search(sent.statement))

    def close(self) -> None:
        """Let the connection be as it was: what is built must not find that one text may be
        several statements."""
        self.skip_no_commit()
        if self._lets_several and not self._connection.invalidated:
            _let_several(self._connection.connection.dbapi_connection, on=False)
        self._lets_several = False

    def _send(self, driver: Any, group: Sequence[Sent], counts: list[int]) -> None:
        if len(group) == 1:
            _one_by_one(self._connection, driver, group, counts)
        elif self.joins_revisions:
            _pipelined(self._connection, driver, group, counts)
        else:
            _joined(driver, group, counts)


def _has_pipeline() -> bool:
    """Whether libpq is new enough."""
    import psycopg

    return bool(psycopg.Pipeline.is_supported())


def _one_by_one(
    connection: Connection, driver: Any, group: Sequence[Sent], counts: list[int]
) -> None:
    for sent in group:
        cursor = driver.cursor()
        try:
            _execute(connection, cursor, sent)
            counts.append(cursor.rowcount)
        finally:
            cursor.close()


def _pipelined(
    connection: Connection, driver: Any, group: Sequence[Sent], counts: list[int]
) -> None:
    cursors = []
    try:
        with driver.pipeline():
            for sent in group:
                cursors.append(driver.cursor())
                _execute(connection, cursors[-1], sent)
    finally:
        for cursor in cursors:
            if cursor.statusmessage is None:
                break  # this one failed: what comes after it was not executed
            counts.append(cursor.rowcount)


def _joined(driver: Any, group: Sequence[Sent], counts: list[int]) -> None:
    cursor = driver.cursor()
    texts = [
        cursor.mogrify(sent.statement, None if sent.how is How.BARE else sent.parameters)
        for sent in group
    ]
    for text in _packets(texts):
        cursor.execute(text)
        counts.append(cursor.rowcount)
        while cursor.nextset():
            counts.append(cursor.rowcount)
    cursor.close()


def _packets(texts: Sequence[str]) -> Iterator[str]:
    """Join statements, but those whose bytes may be too many for the server."""
    start, size = 0, 0
    for at, text in enumerate(texts):
        if at > start and size + len(text) > _MOST_TEXT:
            yield ";\n".join(texts[start:at])
            start, size = at, 0
        size += len(text)
    yield ";\n".join(texts[start:])


def _let_several(driver: Any, *, on: bool) -> None:
    # COM_SET_OPTION, of which PyMySQL knows only the number.
    driver._execute_command(0x1B, struct.pack("<H", 0 if on else 1))
    driver._read_packet()


def _execute(connection: Connection, cursor: Any, sent: Sent) -> None:
    dialect = connection.dialect
    match sent.how:
        case How.ONCE:
            dialect.do_execute(cursor, sent.statement, sent.parameters, None)
        case How.MANY:
            dialect.do_executemany(cursor, sent.statement, sent.parameters, None)
        case How.BARE:
            dialect.do_execute_no_params(cursor, sent.statement, None)


def _wrapped(connection: Connection, driver: Any, sent: Sent, error: Any) -> DBAPIError:
    """Return the error as SQLAlchemy would have raised it."""
    dialect = connection.dialect
    if lost := dialect.is_disconnect(error, driver, None):
        connection.invalidate(error)
    wrapped = DBAPIError.instance(
        sent.statement,
        sent.parameters,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=lost,
        dialect=dialect,
    )
    assert isinstance(wrapped, DBAPIError)
    return wrapped
