"""What a revision's statements depend on besides its text, and whether all of that is known."""

import sqlite3
import sys
from collections.abc import Hashable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.sql.visitors import Visitable

from orchestrator.worker.connection.greeting import greeting_on
from orchestrator.worker.connection.session import Session
from orchestrator.worker.statements.journal import in_autocommit

_STATEMENT_EVENTS = (
    "before_execute",
    "after_execute",
    "before_cursor_execute",
    "after_cursor_execute",
)
_DRIVER_EVENTS = (
    "handle_error",
    "do_execute",
    "do_executemany",
    "do_execute_no_params",
    "do_setinputsizes",
)
_ATTACH_EVENTS = ("before_parent_attach", "after_parent_attach")
_TABLE_EVENTS = ("before_create", "after_create", "before_drop", "after_drop", *_ATTACH_EVENTS)
_TABLE: Any = Table(
    "any",
    MetaData(),
    Column("any", Integer, ForeignKey("any.any")),
    UniqueConstraint("any"),
    CheckConstraint("any"),
    Index("by_any", "any"),
)
_PARTS = (
    _TABLE.c.any,
    Enum("any", name="kind"),
    *_TABLE.constraints,
    *_TABLE.indexes,
    *_TABLE.foreign_keys,
)
"""One of each kind of what tables are made of."""
_TRUSTED = ("orchestrator.", "sqlalchemy.", "alembic.")


def surroundings_of(session: Session, context: MigrationContext) -> Hashable | None:
    """Return a value that is equal for targets where the same revision sends the same.

    ``None`` where somebody has a hand in what is sent that can't be known: listeners of an
    application, plug-ins of Alembic or SQLAlchemy, functions that make names, a pooler.
    """
    if session.pooled or in_autocommit(session.connection) or context.on_version_apply_callbacks:
        return None
    metadata = context.opts.get("target_metadata")
    convention = getattr(metadata, "naming_convention", None)
    if any(_strangers(session)) or any(_plug_ins(context)) or _makes_names(convention):
        return None
    greeting = greeting_on(session.connection)
    return (
        session.connection.dialect.name,
        session.connection.dialect.driver,
        sqlite3.sqlite_version if greeting is None else greeting.facts,
        repr(sorted(session.connection.get_execution_options().items())),
        type(context.impl),
        context.impl.transactional_ddl,
        context._transaction_per_migration,
        context.version_table,
        context.version_table_schema,
        repr(convention),
    )


def _strangers(session: Session) -> Iterator[Any]:
    """Yield functions that are not ours and hear of what is executed, or change it."""
    connection: Any = session.connection
    heard = [(connection.dispatch, name) for name in _STATEMENT_EVENTS]
    for dispatch, name in heard:
        yield from (f for f in getattr(dispatch, name) if not _is_ours(f))
    heard = [(_TABLE.dispatch, name) for name in _TABLE_EVENTS]
    heard += [(part.dispatch, name) for part in _PARTS for name in _ATTACH_EVENTS]
    for dispatch, name in heard:
        yield from (f for f in getattr(dispatch, name) if not _home(f).startswith(_TRUSTED))
    driver: Any = session.engine.dialect.dispatch
    for name in _DRIVER_EVENTS:
        yield from getattr(driver, name)


def _is_ours(function: Any) -> bool:
    """Whether a listener is ours; SQLAlchemy wraps some of them."""
    cells = getattr(function, "__closure__", None) or ()
    inner = [cell.cell_contents for cell in cells if callable(cell.cell_contents)]
    if inner and _home(function).startswith("sqlalchemy."):
        return all(map(_is_ours, inner))
    return _home(function).startswith("orchestrator.")


def _makes_names(convention: Any) -> bool:
    """Whether functions have a hand in what constraints are called."""
    return any(callable(part) for part in getattr(convention, "values", tuple)())


def _plug_ins(context: MigrationContext) -> Iterator[Any]:
    """Yield what replaces a part of Alembic's operations or of SQLAlchemy's compiler."""
    if not _home(type(context.impl)).startswith("alembic."):
        yield type(context.impl)
    yield from (f for f in _implementations() if not _home(f).startswith("alembic."))
    for construct in _known_constructs(len(sys.modules)):
        dispatcher = vars(construct).get("_compiler_dispatcher")
        if dispatcher is not None:
            yield from (f for f in dispatcher.specs.values() if not _home(f).startswith(_TRUSTED))


def _implementations() -> Iterable[Any]:
    """What executes Alembic's own operations."""
    registry: Any = Operations._to_impl._registry
    own = {key: f for key, f in registry.items() if _home(key[0]).startswith("alembic.")}
    return own.values()


@lru_cache(maxsize=1)
def _known_constructs(_modules: int) -> Iterable[Any]:
    """Those there are; others come with modules that are imported."""
    return tuple(dict.fromkeys(_constructs(Visitable)))


def _constructs(of: Any) -> Iterator[Any]:
    """SQLAlchemy's and Alembic's constructs."""
    for construct in of.__subclasses__():
        if _home(construct).startswith(_TRUSTED):
            yield construct
            yield from _constructs(construct)


def _home(thing: Any) -> str:
    return f"{getattr(thing, '__module__', None) or ''}."
