"""Connections to other databases than the target: made only when somebody uses them.

``env.py`` takes one from its application's engine and hands it to ``context.configure``, where the
target's takes its place. The database that it was for need not even exist.
"""

import re
from typing import Any

from sqlalchemy import Connection, Engine, Inspector
from sqlalchemy.inspection import _inspects

_MOVES = re.compile(r"\bsearch_path\b|\bSET\s+SCHEMA\b", re.IGNORECASE)


class LazyConnection(Connection):
    """A connection to another database than the target, made when it is first used."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, connection=_Later(engine))  # type: ignore[arg-type]  # stands in for one
        self.moved = False
        """A statement on it may have chosen another schema or database."""
        self._isolation: str | None = None

    def execution_options(self, **options: Any) -> Connection:
        """Keep an isolation level, which is the driver's, until there is a connection."""
        if isinstance(self._dbapi_connection, _Later) and not self._dbapi_connection.is_there:
            self._isolation = options.pop("isolation_level", self._isolation)
        return super().execution_options(**options)

    def execute(self, statement: Any, *arguments: Any, **options: Any) -> Any:
        """Connect before the statement is compiled, which depends on the server's version."""
        self.connected()
        return super().execute(statement, *arguments, **options)

    def exec_driver_sql(self, *arguments: Any, **options: Any) -> Any:
        """Connect first."""
        self.connected()
        return super().exec_driver_sql(*arguments, **options)

    def _run_ddl_visitor(self, *arguments: Any, **options: Any) -> None:
        self.connected()
        super()._run_ddl_visitor(*arguments, **options)

    def look_at(self, statement: str) -> None:
        """Note a statement that chooses a schema."""
        self.moved = self.moved or bool(_MOVES.search(statement))

    def connected(self) -> None:
        """Connect, if that was not done yet."""
        later: Any = self._dbapi_connection
        if not isinstance(later, _Later) or later.is_there:
            return
        later.there()
        if self._isolation is not None:
            super().execution_options(isolation_level=self._isolation)


class _Later:
    """A pooled DBAPI connection that is taken when somebody first wants more of it than its end."""

    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(_engine=engine, _real=None)

    @property
    def is_there(self) -> bool:
        return self._real is not None

    @property
    def is_valid(self) -> bool:
        return self._real is None or bool(self._real.is_valid)

    def there(self) -> Any:
        if self._real is None:
            self.__dict__["_real"] = self._engine.raw_connection()
        return self._real

    def rollback(self) -> None:
        if self._real is not None:
            self._real.rollback()

    def commit(self) -> None:
        if self._real is not None:
            self._real.commit()

    def close(self) -> None:
        if self._real is not None:
            self._real.close()

    def _close_special(self, **options: Any) -> None:
        if self._real is not None:
            self._real._close_special(**options)

    def _reset(self, *arguments: Any, **options: Any) -> None:
        if self._real is not None:
            self._real._reset(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.there(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.there(), name, value)


@_inspects(LazyConnection)
def _inspected(connection: LazyConnection) -> Inspector:
    connection.connected()  # what reflection asks for depends on the server's version
    return Inspector._construct(Inspector._init_connection, connection)
