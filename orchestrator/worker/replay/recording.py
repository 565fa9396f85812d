"""What a revision sent, as values; and what listens to it."""

import copy
import re
import time
from dataclasses import dataclass
from datetime import date, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event

from orchestrator.worker.connection.session import Session
from orchestrator.worker.statements.journal import in_autocommit
from orchestrator.worker.statements.meaning import Kind, kinds

_MOST = 256 * 1024
_GIVES_UP = re.compile(
    r"(?:^|;|\*/|\n)\s*(?:ABORT|ROLLBACK)\b(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b)", re.IGNORECASE
)
"""What ends a transaction, as what commits it does."""
_PLAIN = (str, int, float, bytes, Decimal, date, time_of_day, timedelta, UUID, type(None))
"""What nobody can change, and of which ``repr`` tells all."""


class How(Enum):
    """How the driver was given a statement."""

    ONCE = auto()
    MANY = auto()  # for each of several sets of parameters
    BARE = auto()  # without parameters: a % is a %


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement, as it reached the driver."""

    statement: str
    parameters: Any
    how: How


@dataclass(frozen=True, slots=True)
class Recording:
    """What one revision sent, and how Alembic then moved the version row."""

    revision: str
    statements: tuple[Sent, ...]
    version: tuple[Sent, ...]
    seconds: float
    """How long the server took for all of it, without the way there and back."""

    def says_what(self, other: "Recording") -> bool:
        """Whether both sent the same, to the letter and to the type of each parameter."""
        return _told(self) == _told(other)


class _NotKept(Exception):
    """A parameter of which it is not known whether it is another one later."""


def _kept(value: Any) -> Any:
    """Return a copy of parameters that stays as it is, whatever the revision does to its own."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict):
        return {key: _kept(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_kept, value)) if type(value) in {list, tuple} else _refuse(value)
    if _is_wrapper(value):
        wrapper = copy.copy(value)
        wrapper.obj = _kept(value.obj)
        return wrapper
    return _refuse(value)


def _refuse(value: Any) -> Any:
    raise _NotKept(type(value).__name__)


def _is_wrapper(value: Any) -> bool:
    """Whether it tells psycopg to write something as JSON, or as bytes.

    Of those, ``repr`` tells only the beginning.
    """
    return type(value).__module__.startswith("psycopg.") and hasattr(value, "obj")


def _told(of: Any) -> str:
    """``repr``, of all that is in it."""
    if isinstance(of, Recording):
        sent = (*of.statements, None, *of.version)
        return repr([one and (one.statement, _told(one.parameters), one.how) for one in sent])
    if isinstance(of, dict):
        return repr([(key, _told(value)) for key, value in of.items()])
    if isinstance(of, list | tuple):
        return repr((type(of).__name__, [_told(value) for value in of]))
    return f"{type(of).__name__} {_told(of.obj)}" if _is_wrapper(of) else repr(of)


class Recorder:
    """Listens to a session while one revision after another is built and executed.

    A revision that did anything but send statements that return nothing, on the session's
    connection and within the transaction that it found, has no recording.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._listens = False
        self._mysql = session.location.backend in {"mysql", "mariadb"}
        self._revision: str | None = None
        self._statements: list[Sent] = []
        self._version: list[Sent] = []
        self._to: list[Sent] | None = None
        self._began = 0.0
        self._moves = 0.0
        self._round_trip = 0.0
        self._size = 0
        self.doubt: str | None = None
        """Why the latest revision can't be recorded."""

    def _listen(self) -> None:
        """Hear what the session's engine executes, for as long as there is one."""
        if self._listens:
            return
        self._listens = True
        event.listen(self._session.engine, "after_cursor_execute", self._executed)
        for name in ("commit", "rollback", "savepoint"):
            event.listen(self._session.engine, name, self._ended)

    def begin(self, revision: str) -> None:
        """A revision starts."""
        self._listen()
        self._revision, self._statements, self._version = revision, [], []
        self._to, self._began, self._size = self._statements, time.monotonic(), 0
        self.doubt = None
        if in_autocommit(self._session.connection):
            self.doubt = "each of its statements commits itself"

    def end(self) -> None:
        """Its function returned."""
        self._to = None

    def hear_version(self) -> None:
        """What moves the version row follows."""
        self._to, self._moves = self._version, time.monotonic()

    def recording(self) -> Recording | None:
        """Return what was heard since ``begin``, and hear no more; ``None`` where in doubt."""
        self._to = None
        revision, self._revision = self._revision, None
        if revision is None or self.doubt is not None or not self._version:
            return None
        # A server far away is not a slow one: what moves a version row takes a round trip, and
        # so did each statement, and the look at where names lead.
        trips = len(self._statements) + len(self._version) + 1
        seconds = max(0.0, time.monotonic() - self._began - trips * self._round_trip)
        return Recording(revision, tuple(self._statements), tuple(self._version), seconds)

    def _executed(
        self,
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool,
    ) -> None:
        if self._to is None:
            return
        if self._to is self._version and not self._version:
            self._round_trip = time.monotonic() - self._moves
        if connection is not self._session.connection:
            self.doubt = "it uses another connection"
        elif self._to is self._statements:
            self._look_at(statement, parameters, returns=cursor.description is not None)
        bare = not many and not parameters and context.no_parameters
        how = How.MANY if many else How.BARE if bare else How.ONCE
        try:
            self._to.append(Sent(statement, _kept(parameters), how))
        except _NotKept as error:
            self.doubt = f"it sends a {error}"

    def _look_at(self, statement: str, parameters: Any, *, returns: bool) -> None:
        self._size += len(statement) + len(repr(parameters))
        if returns:
            self.doubt = "it reads"
        elif _GIVES_UP.search(statement) or Kind.ENDS in kinds(statement, mysql=self._mysql):
            self.doubt = "it ends a transaction"
        elif self._size > _MOST:
            self.doubt = "it sends too much to be kept"

    def _ended(self, connection: Connection, *_: Any) -> None:
        if connection is self._session.connection and self._to is self._statements:
            self.doubt = "it ends a transaction"
