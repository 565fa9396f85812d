"""What code gets that connects to a database while a target is worked on.

``env.py`` connects in many ways: it takes what ``config.attributes`` holds, makes an engine of
``sqlalchemy.url``, or uses the engine of its application, synchronous or not. All of them end in
``Engine.connect``. An engine of the target gives the session's own connection, so that what
``env.py`` sets on it holds for the migration, too. Any other engine connects only when it is used.
Whoever does it, DDL on any database but the target is refused before it is executed.
"""

import contextlib
import re
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.base import Transaction

from orchestrator.worker.awaited import awaitable
from orchestrator.worker.deferred import Deferred
from orchestrator.worker.session import Session
from orchestrator.worker.urls import is_in_memory, leads_to

_COMMENTS = r"(?:\s|/\*.*?\*/|--[^\n]*\n)*"
_DDL = re.compile(
    _COMMENTS + r"(?:CREATE(?!\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP)|ALTER|DROP|TRUNCATE|RENAME"
    r"|COMMENT\s+ON|GRANT|REVOKE)\b",
    re.IGNORECASE | re.DOTALL,
)
_MOVES = re.compile(r"\bsearch_path\b|^\s*USE\b", re.IGNORECASE)
_SHOWN = 80
_LENT = ("connect", "execute", "exec_driver_sql", "_autobegin", "begin", "begin_twophase", "close")

_current: "Connections | None" = None
_connect = Engine.connect


class Elsewhere(Exception):
    """DDL was about to run on a database that is not the target."""


class Connections:
    """Which connection whoever asks for one gets, while one target is worked on."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.begun: Transaction | None = None
        """The transaction that ``env.py`` began itself on the session's connection."""
        self.moved = False
        """A statement of ``env.py`` on it may have chosen another schema or database."""
        self.refused: Elsewhere | None = None
        self._revising = False
        self._thread = threading.current_thread()

    @contextlib.contextmanager
    def revising(self) -> Iterator[None]:
        """Within it a revision runs: an engine gives it a connection of its own, as ever."""
        self._revising = True
        try:
            yield
        finally:
            self._revising = False

    def give(self, engine: Engine) -> Connection:
        """Return what ``engine.connect()`` returns."""
        if self._revising or threading.current_thread() is not self._thread:
            return _connect(engine)
        ours = self.session.connection
        if not self._is_targets(engine):
            return _connect(engine) if is_in_memory(engine.url) else Deferred(engine)
        if ours.in_transaction():
            # Whoever has it now must not have what it began ended by the next one's close().
            return _connect(self.session.engine)
        options = engine.get_execution_options()
        return ours.execution_options(**options) if options else ours

    def is_ours(self, connection: Any) -> bool:
        """Whether a connection leads to the target."""
        return connection is self.session.connection

    def settle(self) -> None:
        """Make the session's connection ready for Alembic, which leaves a transaction that it
        finds open to whoever began it: one that merely came with a statement is nobody's."""
        connection = self.session.connection
        if connection.in_transaction() and connection.get_transaction() is not self.begun:
            connection.commit()

    def see(self, connection: Connection, statement: str) -> None:
        """Look at a statement before it is executed. Raises ``Elsewhere``."""
        if connection is self.session.connection:
            self.moved = self.moved or (not self._revising and bool(_MOVES.search(statement)))
            return
        if isinstance(connection, Deferred) and _MOVES.search(statement):
            connection.moved = True
        if _DDL.match(statement) and not self._may_change(connection.engine):
            self.refused = Elsewhere(_what(statement, connection.engine))
            raise self.refused

    def _is_targets(self, engine: Engine) -> bool:
        own = self.session.engine
        return engine.pool is own.pool or leads_to(engine.url, self.session.location)

    def _may_change(self, engine: Engine) -> bool:
        if engine.pool is self.session.engine.pool or is_in_memory(engine.url):
            return True
        # An engine of the same URL does not know which schema is the target's.
        return self.session.location.schema is None and leads_to(engine.url, self.session.location)

    def lend(self) -> None:
        """Let the session's connection be used like an engine, and never be closed."""
        connection = self.session.connection

        def autobegin() -> None:
            # SQLAlchemy begins one before a statement as it would for a caller of begin().
            begun = self.begun
            Connection._autobegin(connection)
            self.begun = begun

        def begin() -> Any:
            self.begun = Connection.begin(connection)
            return self.begun

        def begin_twophase(xid: Any = None) -> Any:
            self.begun = Connection.begin_twophase(connection, xid)
            return self.begun

        def close() -> None:
            if connection.in_transaction():
                connection.rollback()

        vars(connection).update(
            connect=lambda: connection,
            execute=awaitable(partial(Connection.execute, connection)),
            exec_driver_sql=awaitable(partial(Connection.exec_driver_sql, connection)),
            _autobegin=autobegin,
            begin=begin,
            begin_twophase=begin_twophase,
            close=close,
        )

    def take_back(self) -> None:
        """Undo ``lend``."""
        for name in _LENT:
            del vars(self.session.connection)[name]


@contextlib.contextmanager
def only_the_target(session: Session) -> Iterator[Connections]:
    """Within it, everybody's connections are as this module says. Raises ``Elsewhere``.

    Also where whoever tried to run DDL elsewhere has caught the exception.
    """
    global _current
    connections = Connections(session)
    connections.lend()
    _current = connections
    try:
        yield connections
    finally:
        _current = None
        connections.take_back()
    if connections.refused is not None:
        raise connections.refused


def _connect_or_lend(engine: Engine) -> Connection:
    return _connect(engine) if _current is None else _current.give(engine)


def _before_cursor_execute(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if _current is not None:
        _current.see(connection, statement)


# Engines that an application made long before are asked like those that env.py makes.
Engine.connect = _connect_or_lend  # type: ignore[method-assign, assignment]
event.listen(Engine, "before_cursor_execute", _before_cursor_execute)


def _what(statement: str, engine: Engine) -> str:
    shown = " ".join(statement.split())
    shown = shown[:_SHOWN] + ("…" if len(shown) > _SHOWN else "")
    return f"DDL was about to run on {engine.url!r}, which is not the target: {shown}" + _where()


def _where() -> str:
    """Who asked for it: the last place that is neither a library's nor ours."""
    libraries = (Path(sqlalchemy.__file__).parents[1], Path(__file__).parents[1])
    standard = Path(contextlib.__file__).parent
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        inside = any(path.is_relative_to(folder) for folder in (*libraries, standard))
        if path.is_absolute() and not inside:
            return f" ({frame.filename}:{frame.lineno})"
    return ""
