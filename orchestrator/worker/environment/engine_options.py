"""What an engine of ``env.py`` gives its connections, so that ours has it, too.

A migration runs on our connection, which holds the target's lock. What plain Alembic's connection
would have had besides is brought over: arguments of ``create_engine(connect_args=…)`` and what
``do_connect`` listeners add to them, when our connection is opened; what listeners do to a new
connection, on ours. Which database, user and password it is says ``environments.toml`` alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

from orchestrator.worker.environment.refusals import NotRun

_WHO_AND_WHERE = frozenset(
    {"host", "hostaddr", "port", "unix_socket", "user", "username", "password", "passwd"}
    | {"passfile", "database", "db", "dbname", "service"}
)
# What makes no difference to a migration: how long the client waits, what it keeps, what it is
# called, how rows look in Python; and SQLite's transactions, which are ours.
_NO_MATTER = frozenset(
    {"connect_timeout", "read_timeout", "write_timeout", "timeout", "command_timeout"}
    | {"tcp_user_timeout", "keepalives", "keepalives_idle", "keepalives_interval"}
    | {"keepalives_count", "application_name", "fallback_application_name", "program_name"}
    | {"prepare_threshold", "statement_cache_size", "prepared_statement_cache_size"}
    | {"prepared_statement_name_func", "max_cached_statement_lifetime", "cached_statements"}
    | {"check_same_thread", "isolation_level", "uri", "cursorclass", "cursor_factory"}
    | {"row_factory", "autocommit", "loop"}
)
_VALUES = (str, bytes, int, float, bool, type(None), list, tuple, dict)
_STEP = "say it in the url of environments.toml, as ?{}=…; or pass env.py no engine of its own"


class _Seen(BaseException):
    """It was seen what the driver would be called with."""


def arguments_of(engine: Engine, own: Engine) -> dict[str, Any]:
    """Return what the driver is called with by ``engine`` and not by ``own``, our engine.

    Nothing is connected. Raises ``NotRun`` where our driver could not be given it.
    """
    theirs = _seen(engine)
    if engine.dialect.driver == own.dialect.driver:
        known = _seen(own)
    else:  # through an asynchronous driver, say: what its URL has no options for
        known = dict(engine.dialect.create_connect_args(engine.url.set(query={}))[1])
    more = {
        name: value
        for name, value in theirs.items()
        if name not in _WHO_AND_WHERE | _NO_MATTER and not _is_same(value, known.get(name))
    }
    if more and engine.dialect.driver != own.dialect.driver:
        raise NotRun(
            f"env.py's engine connects by {engine.dialect.driver} with {_listed(more)}, which "
            f"{own.dialect.driver}, by which we connect, does not take as it is",
            _STEP.format(next(iter(more))),
        )
    return more


def assert_none_left(engine: Engine, own: Engine) -> None:
    """Raise ``NotRun`` where our connection lacks what those of ``engine`` are opened with."""
    if left := arguments_of(engine, own):
        raise NotRun(
            f"env.py's engine connects with another {_listed(left)} for this target than for "
            "another one of its database",
            _STEP.format(next(iter(left))),
        )


def greets(engine: Engine, own: Engine) -> bool:
    """Whether listeners of an engine do something to each new connection."""
    of_pool = ("first_connect", "connect", "checkout")
    return any(_foreign(engine.pool, own.pool, name) for name in of_pool) or bool(
        _foreign(engine, own, "engine_connect")
    )


@contextmanager
def listening(engine: Engine, connection: Connection) -> Iterator[None]:
    """Let the listeners of an engine hear of a connection of ours as of a new one of its own, and
    within it of each statement."""
    driver = connection.connection.dbapi_connection
    record: Any = connection.connection._connection_record
    own = connection.engine
    for name in ("first_connect", "connect"):
        for listener in _foreign(engine.pool, own.pool, name):
            listener(driver, record)
    for listener in _foreign(engine.pool, own.pool, "checkout"):
        listener(driver, record, connection.connection)
    if driver is not None:
        driver.commit()  # else a SET would be taken back with the next rollback
    for listener in _foreign(engine, own, "engine_connect"):
        listener(connection)
    added = [
        (name, listener)
        for name in ("before_execute", "before_cursor_execute")
        for listener in _foreign(engine, own, name)
    ]
    for name, listener in added:
        event.listen(own, name, listener, retval=True)
    try:
        yield
    finally:
        for name, listener in added:
            event.remove(own, name, listener)


def _foreign(of: Any, own: Any, name: str) -> list[Any]:
    """Listeners of somebody else's engine or pool that ours does not have: not those of SQLAlchemy
    itself, nor those of all engines."""
    heard = {id(listener) for listener in getattr(own.dispatch, name)}
    return [
        listener
        for listener in getattr(of.dispatch, name)
        if id(listener) not in heard and not listener.__module__.startswith("sqlalchemy.")
    ]


def _seen(engine: Engine) -> dict[str, Any]:
    """Return what an engine calls its driver with, after all its ``do_connect`` listeners."""
    seen: dict[str, Any] = {}

    def look(_dialect: Any, _record: Any, _positional: Any, named: Mapping[str, Any]) -> None:
        seen.update(named)
        raise _Seen

    pool = engine.pool.recreate()
    event.listen(engine, "do_connect", look)
    try:
        pool.connect().close()
    except _Seen:
        return seen
    finally:
        event.remove(engine, "do_connect", look)
        pool.dispose()
    raise NotRun(
        "env.py's engine makes its connections itself (creator=…, or a do_connect listener that "
        "returns one), which ours can't be made by",
        "let the listener add to the arguments instead, or pass env.py no engine of its own",
    )


def _is_same(value: Any, other: Any) -> bool:
    """Whether two arguments are; of objects such as a TLS context, only that there is one."""
    if isinstance(value, _VALUES) or isinstance(other, _VALUES):
        return bool(value == other)
    return type(value) is type(other)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))
