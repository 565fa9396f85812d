"""What a server says of its user's rights in a target, and how fast it answers."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.dialects import Fault, dialect_of
from orchestrator.dialects.faults import message_of
from orchestrator.dialects.rights import (
    MYSQL_GRANTS,
    POSTGRESQL_NO_SCHEMAS,
    mysql_missing,
    postgresql_is_there,
    postgresql_missing,
)
from orchestrator.inspection.connecting import connected, rows
from orchestrator.inspection.reading import Source

_THREADS = 16


class Unknown(Exception):
    """The server does not say; the message is why."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a target's server answers, and which rights its user has there."""

    target: str
    backend: str = ""
    product: str = ""
    """What runs there; empty where it did not answer."""
    seconds: float = 0.0
    """What connecting and one answer took."""
    is_missing: bool = False
    """The server is there, and no such database."""
    failure: str | None = None
    """Why it did not answer."""
    lacks: tuple[str, ...] = ()
    """The rights that migrations want and the user lacks."""
    unknown: str | None = None
    """Why that is not known."""
    unasked: str | None = None
    """What failed when it was asked for."""


def probes(sources: Sequence[tuple[Source, bool]]) -> list[Probe]:
    """Probe several targets at once, each with whether it is made where it is not there.

    What is said may hold secrets.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda of: _probe(of[0], creates=of[1]), sources))


def redacted(probe: Probe, redact: Callable[[str], str]) -> Probe:
    """Return a probe whose texts were redacted."""

    def hidden(text: str | None) -> str | None:
        return None if text is None else redact(text)

    return replace(
        probe,
        failure=hidden(probe.failure),
        lacks=tuple(map(redact, probe.lacks)),
        unknown=hidden(probe.unknown),
        unasked=hidden(probe.unasked),
    )


def _probe(source: Source, *, creates: bool) -> Probe:
    found = Probe(source.target, source.location.backend)
    try:
        seconds, product = answer_time(source)
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        return replace(found, failure=told(error), is_missing=is_missing(source, error))
    found = replace(found, seconds=seconds, product=product)
    try:
        return replace(found, lacks=missing_rights(source, creates=creates))
    except Unknown as error:
        return replace(found, unknown=str(error))
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        return (
            found if is_missing(source, error) and creates else replace(found, unasked=told(error))
        )


def answer_time(source: Source) -> tuple[float, str]:
    """Connect, ask for nothing, and return how many seconds that took, and what runs there.

    A SQLite file that is not there takes none. Raises what the driver raises.
    """
    location = source.location
    began = time.monotonic()
    if location.backend == "sqlite":
        return time.monotonic() - began, "SQLite"
    with connected(location, source.timeouts) as connection:
        version = rows(connection, "SELECT version()")[0][0]
        return time.monotonic() - began, str(version).split(" on ")[0]


def missing_rights(source: Source, *, creates: bool) -> tuple[str, ...]:
    """Return the rights that migrations want and the user lacks, by what the server says.

    ``creates``: what is not there is made by ``upgrade``; then the right to make it is asked for.
    Raises ``Unknown`` where the server does not say, and what the driver raises.
    """
    match source.location.backend:
        case "sqlite":
            return _sqlite(source)
        case "postgresql":
            return _postgresql(source, creates=creates)
        case _:
            return _mysql(source)


def is_missing(source: Source, error: Exception) -> bool:
    """Whether a source could not be reached because there is no such database."""
    return dialect_of(source.location.backend).fault(error) is Fault.MISSING


def told(error: Exception) -> str:
    """Return an error of a driver in its own words."""
    return message_of(error).partition("\n")[0]


def _sqlite(source: Source) -> tuple[str, ...]:
    # Path's own methods may raise where a folder may not be looked into.
    path = source.location.file or ""
    if os.path.isdir(path):  # noqa: PTH112
        return (f"a file at {path}, which is a folder",)
    lacks = [] if not os.path.exists(path) or os.access(path, os.W_OK) else [f"to write {path}"]  # noqa: PTH110
    folder = os.path.dirname(path)  # noqa: PTH120
    while not os.path.exists(folder) and folder != os.path.dirname(folder):  # noqa: PTH110, PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    if not os.path.isdir(folder):  # noqa: PTH112
        lacks.append(f"a folder at {folder}, which is a file")
    elif not os.access(folder, os.W_OK):
        lacks.append(f"to write into {folder}")
    return tuple(lacks)


def _postgresql(source: Source, *, creates: bool) -> tuple[str, ...]:
    schema = source.location.schema
    table = source.version_table
    with connected(source.location, source.timeouts) as connection:
        there = schema is None or rows(connection, postgresql_is_there(schema))
        if not there:
            lacks = rows(connection, POSTGRESQL_NO_SCHEMAS) if creates else ()
            return tuple(str(row[0]) for row in lacks)
        found = rows(connection, postgresql_missing(table.schema or schema, table.name))
        return tuple(str(row[0]) for row in found)


def _mysql(source: Source) -> tuple[str, ...]:
    database = source.location.database or ""
    with connected(source.location, source.timeouts) as connection:
        grants = [str(row[0]) for row in rows(connection, MYSQL_GRANTS)]
    lacks = mysql_missing(grants, database)
    if lacks is None:
        raise Unknown("its user has roles, and what they hold the server does not list")
    return lacks
