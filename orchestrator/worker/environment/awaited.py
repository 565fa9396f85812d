"""Statements of an ordinary connection that asynchronous code awaits."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any


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
