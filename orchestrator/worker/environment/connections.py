"""What code gets that connects to a database while a target is worked on.

``env.py`` connects in many ways: it takes what ``config.attributes`` holds, makes an engine of
``sqlalchemy.url``, or uses the engine of its application, synchronous or not. All of them end in
``Engine.connect``. An engine of the target gives the session's own connection, so that what
``env.py`` sets on it holds for the migration, too. Any other engine connects only when it is used.
Whoever does it, DDL on any database but the target is refused before it is executed.
"""

import asyncio
import contextlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.base import Transaction

from orchestrator.worker.connection.session import Session
from orchestrator.worker.connection.urls import is_in_memory, leads_to, shown_url
from orchestrator.worker.environment.engine_options import (
    arguments_of,
    assert_none_left,
    greets,
    listening,
)
from orchestrator.worker.environment.lazy_connection import LazyConnection
from orchestrator.worker.environment.refusals import Elsewhere, NotRun
from orchestrator.worker.statements.journal import Journal
from orchestrator.worker.statements.meaning import changes_schema, shown

_WHERE = "SELECT current_schema(), current_user"
_GUARD = (
    "let env.py and what it imports change nothing but the target: guard code that creates tables "
    "when it is imported, and write DDL into revisions"
)

_current: "Connections | None" = None
_connect = Engine.connect


class Connections:
    """Which connection whoever asks for one gets, while one target is worked on."""

    def __init__(self, session: Session, *, compares: bool = False) -> None:
        self.session = session
        self.begun: Transaction | None = None
        """The transaction that ``env.py`` began itself on the session's connection."""
        self.refused: Elsewhere | None = None
        """What was refused last, also where whoever tried it has caught the exception."""
        self.journal: Journal | None = None
        """What looks at every statement and COMMIT of a revision before it is executed."""
        self.arguments: dict[str, Any] = {}
        """What engines of the target connect with and ours does not; learnt with ``compares``."""
        self.heard = contextlib.ExitStack()
        """Holds their listeners until ``env.py`` is through."""
        self._known: list[Engine] = []
        self._compares = compares
        self._revising = False
        self._thread = threading.current_thread()
        self._options = session.connection._execution_options
        self._lent = {
            "connect": lambda: session.connection,
            "execute": awaitable(partial(Connection.execute, session.connection)),
            "exec_driver_sql": awaitable(partial(Connection.exec_driver_sql, session.connection)),
            "begin": self._begin,
            "begin_twophase": self._begin_twophase,
            "_autobegin": self._autobegin,
            "close": self._close,
        }

    def lend(self) -> None:
        """Let the session's connection be used like an engine, and never be closed."""
        vars(self.session.connection).update(self._lent)

    def take_back(self) -> None:
        """Undo ``lend``."""
        for name in self._lent:
            del vars(self.session.connection)[name]

    @contextlib.contextmanager
    def revising(self) -> Iterator[None]:
        """Within it a revision runs: an engine gives it a connection of its own, as ever."""
        self._revising = True
        try:
            yield
        finally:
            self._revising = False

    def give(self, engine: Engine) -> Connection:
        """Return what ``engine.connect()`` returns. Raises ``NotRun``."""
        if self._revising or threading.current_thread() is not self._thread:
            return _connect(engine)
        ours = self.session.connection
        if not self.is_targets(engine):
            return _connect(engine) if is_in_memory(engine.url) else LazyConnection(engine)
        if ours.in_transaction():
            # Whoever has it now must not have what it began ended by the next one's close().
            return _connect(self.session.engine)
        self._bring_over(engine)
        options = dict(engine.get_execution_options())
        level = getattr(engine.dialect, "_on_connect_isolation_level", None)
        if level is not None:
            options.setdefault("isolation_level", level)
        return ours.execution_options(**options) if options else ours

    def settle(self) -> None:
        """Make the session's connection ready for Alembic, which leaves a transaction that it
        finds open to whoever began it: one that merely came with a statement is nobody's."""
        connection = self.session.connection
        if connection.in_transaction() and connection.get_transaction() is not self.begun:
            connection.commit()

    def see(self, connection: Connection, statement: str) -> None:
        """Look at a statement before it is executed. Raises ``Elsewhere``, ``NotRecorded``."""
        if connection is self.session.connection:
            if self.journal is not None:
                self.journal.session(connection, statement)
            return
        if isinstance(connection, LazyConnection):
            connection.look_at(statement)
        if not self._may_change(connection.engine) and changes_schema(statement):
            self.refused = Elsewhere(
                f"DDL was about to run on {shown_url(connection.engine.url)}, which is not the "
                f"target: {shown(statement)}{_where()}",
                _GUARD,
            )
            raise self.refused
        if self.journal is not None and not is_in_memory(connection.engine.url):
            self.journal.beside(statement)

    def see_commit(self, connection: Connection) -> None:
        """Look at a COMMIT before it is done. Raises ``NotRecorded``."""
        if self.journal is not None and connection is self.session.connection:
            self.journal.commit()

    def is_targets(self, engine: Engine) -> bool:
        """Whether an engine leads to the target's database."""
        own = self.session.engine
        return engine.pool is own.pool or leads_to(engine.url, self.session.location)

    def _may_change(self, engine: Engine) -> bool:
        if engine.pool is self.session.engine.pool or is_in_memory(engine.url):
            return True
        # An engine of the same URL does not know which schema is the target's.
        return self.session.location.schema is None and self.is_targets(engine)

    def _bring_over(self, engine: Engine) -> None:
        """Let our connection have what those of an engine of ``env.py`` have. Raises ``NotRun``."""
        own = self.session.engine
        if engine.pool is own.pool or any(engine is known for known in self._known):
            return
        self._known.append(engine)
        before = self._place() if greets(engine, own) else None
        self.heard.enter_context(listening(engine, self.session.connection))
        if before is not None and self._place() != before:
            raise NotRun(
                "a listener of env.py's engine leads to another database or schema than the target",
                "say it in the URL, for example ?options=-csearch_path%3Dshop, or with schema = …",
            )
        if self._compares:
            self._assert_leads_here(engine)
            self.arguments |= arguments_of(engine, own)
        else:
            assert_none_left(engine, own)

    def _place(self) -> str | None:
        place = self.session.place_of(self.session.connection)
        self.session.connection.rollback()
        return place

    def _assert_leads_here(self, engine: Engine) -> None:
        """Compare what the engine itself would give: its arguments and listeners are not ours."""
        location = self.session.location
        if location.backend != "postgresql" or location.schema is not None:
            return
        if engine.pool is self.session.engine.pool or engine.url.username != location.username:
            return
        theirs = None
        # It may not be able to connect, nor need to.
        with contextlib.suppress(Exception), _connect(engine) as connection:
            connection.detach()  # else it would stay open in the engine's pool
            theirs = tuple(connection.exec_driver_sql(_WHERE).one())
        ours = tuple(self.session.connection.exec_driver_sql(_WHERE).one())
        self.session.connection.rollback()
        if theirs not in (None, ours):
            raise NotRun(
                f"env.py's engine leads to schema '{theirs[0]}' as {theirs[1]} (connect_args, or a "
                f"listener), the URL of environments.toml to '{ours[0]}' as {ours[1]}",
                "say it in the URL, for example ?options=-csearch_path%3Dshop, or with schema = …",
            )

    def _begin(self) -> Any:
        self.begun = Connection.begin(self.session.connection)
        return self.begun

    def _begin_twophase(self, xid: Any = None) -> Any:
        self.begun = Connection.begin_twophase(self.session.connection, xid)
        return self.begun

    def _autobegin(self) -> None:
        # SQLAlchemy begins one before a statement as it would for a caller of begin().
        begun = self.begun
        Connection._autobegin(self.session.connection)
        self.begun = begun

    def _close(self) -> None:
        """End the transaction, and forget the options: the next one to connect has its own."""
        connection = self.session.connection
        if connection.in_transaction():
            connection.rollback()
        if connection._execution_options is not self._options:
            if "isolation_level" in connection._execution_options:
                driver = connection.connection.dbapi_connection
                assert driver is not None
                connection.dialect.reset_isolation_level(driver)
            connection._execution_options = self._options


@contextlib.contextmanager
def only_the_target(session: Session, *, compares: bool = False) -> Iterator[Connections]:
    """Within it, everybody's connections are as this module says. Raises ``Elsewhere``.

    Also where whoever tried to run DDL elsewhere has caught the exception. ``compares``: ask
    engines of the target whether they would lead where ours does.
    """
    global _current
    connections = Connections(session, compares=compares)
    connections.lend()
    _current = connections
    try:
        yield connections
    finally:
        _current = None
        connections.take_back()
        connections.heard.close()
    if connections.refused is not None:
        raise connections.refused


def _connect_or_lend(engine: Engine) -> Connection:
    return _connect(engine) if _current is None else _current.give(engine)


def _before_cursor_execute(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if _current is not None:
        _current.see(connection, statement)


def _before_commit(connection: Connection) -> None:
    if _current is not None:
        _current.see_commit(connection)


# Engines that an application made long before are asked like those that env.py makes.
Engine.connect = _connect_or_lend  # type: ignore[method-assign, assignment]  # takes its place
event.listen(Engine, "before_cursor_execute", _before_cursor_execute)
event.listen(Engine, "commit", _before_commit)


def _where() -> str:
    """Who asked for it: the last place that is neither a library's nor ours."""
    libraries = (Path(sqlalchemy.__file__).parents[1], Path(__file__).parents[2])
    standard = Path(contextlib.__file__).parent
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        inside = any(path.is_relative_to(folder) for folder in (*libraries, standard))
        if path.is_absolute() and not inside:
            return f" ({frame.filename}:{frame.lineno})"
    return ""


def awaitable(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``execute`` such that ``AsyncConnection.execute`` can await it.

    SQLAlchemy runs what it awaits as the first function of a greenlet, insists that it waits for
    something, and then closes the cursor as an asynchronous driver's. Ours never waits, and its
    cursor can't be closed so: it waits for nothing, and its rows are read at once.
    """

    def executed(*arguments: Any, **options: Any) -> Any:
        result = execute(*arguments, **options)
        if sys._getframe().f_back is not None:
            return result
        from sqlalchemy.util import await_only

        await_only(asyncio.sleep(0))
        return result.freeze()() if result.returns_rows else result

    return executed
