"""What ``env.py`` gets when it connects to its target by itself: nothing, until it uses it.

``env.py`` makes an engine of the target's URL, connects, and hands the connection to
``context.configure``, which takes ours instead. So most of these connections are never used, and
need not be made: thousands of targets cost one connection each instead of two.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy
import sqlalchemy.engine
import sqlalchemy.engine.create
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from orchestrator.worker.session import Session, url_of

# env.py imports it from the first two; engine_from_config calls it in the third.
_PLACES = (sqlalchemy, sqlalchemy.engine, sqlalchemy.engine.create)


@contextlib.contextmanager
def lazy_engines(session: Session) -> Iterator[None]:
    """Within it, an engine of the target's own URL connects when a connection is first used.

    It is a connection of its own: what ``env.py`` does on it (``SET search_path``, a transaction
    left open, ``isolation_level``) can't reach the one that the migration runs on.
    """
    create: Callable[..., Engine] = sqlalchemy.create_engine
    ours = url_of(session.location)

    def create_engine(url: Any, **options: Any) -> Engine:
        if not _is(url, ours):
            return create(url, **options)
        real = create(url, **{**options, "poolclass": NullPool})
        lazy = create(
            url,
            creator=lambda: _Lazy(real.raw_connection),
            poolclass=NullPool,
            _initialize=False,  # it would connect to ask for the server's version
        )
        lazy.dialect = lazy.pool._dialect = session.engine.dialect  # which knows all that
        return lazy.execution_options(**options.get("execution_options", {}))

    for place in _PLACES:
        place.create_engine = create_engine  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for place in _PLACES:
            place.create_engine = create  # type: ignore[attr-defined]


class _Lazy:
    """A DBAPI connection that is made when somebody first wants more of it than to end it."""

    def __init__(self, connect: Any) -> None:
        self.__dict__.update(_connect=connect, _real=None)

    def _there(self) -> Any:
        if self._real is None:
            self.__dict__["_real"] = self._connect()
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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._there(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._there(), name, value)


def _is(url: Any, ours: URL) -> bool:
    try:
        return make_url(url) == ours
    except ArgumentError:
        return False
