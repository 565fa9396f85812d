"""What a server says when a session begins, in one answer; SQLAlchemy need not ask it again."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.sql.compiler import IdentifierPreparer

_Learnt = dict[str, Any]

_MOST_COMPILED = 2000


class _Compiled(dict[Any, Any]):
    """Statements as they were compiled, for all engines whose dialects have learnt the same.

    SQLAlchemy keeps them by dialect, and each target's engine has one of its own. Those that are
    translated to a schema are not kept: that may be the default schema of the dialect that they
    were compiled for.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """Return what was compiled of a statement, by whichever dialect."""
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        if len(self) >= _MOST_COMPILED:
            self.clear()
        _, _, _, is_translated, *_ = key
        if not is_translated:
            super().__setitem__(key[1:], compiled)


_learnt: dict[tuple[Any, ...], tuple[_Learnt, _Compiled]] = {}
"""What SQLAlchemy's dialects learnt of servers, by all that it depends on."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The answer to a dialect's ``greeting``."""

    place: str | None
    """Names the database or schema that unqualified names mean, and its lock."""
    schema: str | None
    """The default schema, as SQLAlchemy has it."""
    backend: int
    """The server's process or thread."""
    facts: tuple[Any, ...]
    """Of the server, the database's settings and the session's: what SQLAlchemy asks for."""
    plain: bool
    """Nothing of the database must be learnt from itself."""


def greeting_of(row: Any) -> Greeting:
    """Make one of a row."""
    place, schema, backend, of_database, *facts = row
    place = None if place is None else str(place)
    return Greeting(place, schema, backend, tuple(facts), of_database is None)


def greeting_on(connection: Connection) -> Greeting | None:
    """Return what a connection was greeted with; of SQLite there is nothing."""
    return (connection.connection.record_info or {}).get("greeting")


def learn_once(engine: Engine, arguments: Mapping[str, Any]) -> None:
    """Let the engine's dialect ask a server only for what it has not told before.

    SQLAlchemy asks each engine's first connection for five to eight things, and each target has an
    engine of its own. All that they depend on is in the greeting; only the default schema is the
    target's own, and of what is compiled, no statement depends on it.
    """
    dialect: Any = engine.dialect
    initialize = dialect.initialize
    url = engine.url
    where = (url.drivername, url.host, url.port, repr(url.query), repr(arguments))

    def learn(connection: Connection) -> None:
        greeting = greeting_on(connection)
        if greeting is None or not greeting.plain:
            initialize(connection)
            return
        key = (*where, greeting.facts)
        known = _learnt.get(key)
        if known is None:
            before = dict(vars(dialect))
            initialize(connection)
            if (learnt := _shareable(before, vars(dialect))) is not None:
                known = _learnt[key] = learnt, _Compiled()
        else:
            for name, value in known[0].items():
                setattr(dialect, name, _own(value, dialect))
            dialect.default_schema_name = greeting.schema
        if known is not None:
            engine._compiled_cache = known[1]

    dialect.initialize = learn


def _shareable(before: _Learnt, after: _Learnt) -> _Learnt | None:
    """What was learnt, if it is such that another dialect can have it as it is."""
    found = {
        name: value
        for name, value in after.items()
        if (name not in before or before[name] is not value)
        and not isinstance(value, ModuleType | WeakKeyDictionary)  # memoized, on any dialect anew
    }
    return found if all(map(_is_plain, found.values())) else None


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | frozenset):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    plain = str | int | float | bool | type | IdentifierPreparer | None
    return isinstance(value, plain)


def _own(value: Any, dialect: Any) -> Any:
    if not isinstance(value, IdentifierPreparer):
        return dict(value) if isinstance(value, dict) else value
    own = copy.copy(value)
    own.dialect = dialect
    own._strings = {}  # what it has quoted so far
    return own
