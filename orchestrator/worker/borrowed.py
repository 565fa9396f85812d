"""An engine that ``env.py`` makes for its target's own URL is ours: one connection per target."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy
import sqlalchemy.engine
import sqlalchemy.engine.create
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.worker.session import Session, url_of

# env.py imports it from the first two; engine_from_config calls it in the third.
_PLACES = (sqlalchemy, sqlalchemy.engine, sqlalchemy.engine.create)


@contextlib.contextmanager
def borrowed_engine(session: Session) -> Iterator[None]:
    """Within it, ``create_engine`` for the target's URL lends the session's own connection.

    It saves a second connection per target, and nothing else: ``context.configure`` gets ours in
    any case. ``env.py`` may connect, close and dispose as it likes; our connection stays open.
    """
    create: Callable[..., Engine] = sqlalchemy.create_engine
    ours = url_of(session.location)

    def create_engine(url: Any, **options: Any) -> Engine:
        if not _is(url, ours):
            return create(url, **options)
        engine = session.engine.execution_options(**options.get("execution_options", {}))
        engine.dispose = lambda close=True: None  # type: ignore[method-assign]  # noqa: ARG005
        return engine

    for place in _PLACES:
        place.create_engine = create_engine  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for place in _PLACES:
            place.create_engine = create  # type: ignore[attr-defined]


def _is(url: Any, ours: URL) -> bool:
    try:
        return make_url(url) == ours
    except ArgumentError:
        return False
