"""One query on many databases, and which of them do not answer as expected."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from orchestrator.dialects import Timeouts
from orchestrator.dialects.faults import message_of
from orchestrator.fleet.location import Location
from orchestrator.inspection.connecting import connected, rows
from orchestrator.inspection.reading import Source

_AT_ONCE = 8
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and with what the first column of the first row must be equal."""

    sql: str
    expect: str | int | float | bool
    timeout: float
    """Seconds that it may take."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a target does not answer as expected; empty where it does."""

    target: str
    text: str = ""


def mismatches(query: Query, sources: Sequence[Source]) -> list[Mismatch]:
    """Ask several databases at once, and return what each has to say. It may hold secrets."""
    return _of_each(
        lambda one: Mismatch(
            one.target, mismatch(query, one.target, one.location, one.timeouts.lock)
        ),
        sources,
    )


def mismatch(query: Query, name: str, location: Location, lock_timeout: float) -> str:
    """Ask one database; the answer is empty where it is as expected. It may hold secrets."""
    try:
        with connected(location, Timeouts(lock_timeout, query.timeout)) as connection:
            found = rows(connection, query.sql)
    except Exception as error:  # noqa: BLE001 - drivers raise anything; the query does not hold
        return f"{name}: {message_of(error)}"
    if not found:
        return f"{name}: no row, where {query.expect} was expected"
    value = found[0][0]
    if _equal(value, query.expect):
        return ""
    return f"{name}: {str(value)[:_LONGEST]}, where {query.expect} was expected"


def _of_each(work: Callable[[Source], Mismatch], sources: Sequence[Source]) -> list[Mismatch]:
    """Do it for several at once. No thread keeps the program from ending, as a pool's would."""
    left = list(enumerate(sources))
    found = [Mismatch(source.target) for source in sources]

    def take() -> None:
        with suppress(IndexError):  # none is left
            while True:
                at, one = left.pop()
                found[at] = work(one)

    threads = [threading.Thread(target=take, daemon=True) for _ in left[:_AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _equal(value: Any, expected: str | int | float | bool) -> bool:
    """By value where both are numbers, else by text: drivers return counts of several types."""
    if value is None:
        return False
    if isinstance(expected, str):
        return str(value) == expected
    try:
        return bool(float(value) == float(expected))
    except (TypeError, ValueError):
        return str(value).lower() == str(expected).lower()
