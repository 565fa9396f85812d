"""Reads SQLite files, one after the other."""

import os.path
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from orchestrator.dialects import sqlite_schema
from orchestrator.fleet.schema import Thing
from orchestrator.inspection.connecting import connected, rows
from orchestrator.inspection.reading import Reading, Source, fingerprint_of, standing, unread
from orchestrator.inspection.sqlite_reflection import reflected

_SERVER = f"SQLite {sqlite3.sqlite_version}"
_READABLE = frozenset({"table", "view"})


def read(sources: Sequence[Source], *, schemas: bool) -> Iterator[Reading]:
    """Yield a reading of each file. One that is not there is empty: nothing is made by reading."""
    for source in sources:
        try:
            yield _read(source, schemas=schemas)
        except Exception as error:  # noqa: BLE001 - a file can be anything
            yield unread(source, error)


def things(sources: Sequence[Source]) -> Iterator[tuple[str, tuple[Thing, ...] | Exception]]:
    """Yield everything in each file, or why it can't be read."""
    for source in sources:
        try:
            yield source.target, _things(tuple(_master(source)), source.version_table.name)
        except Exception as error:  # noqa: BLE001 - a file can be anything
            yield source.target, error


def _read(source: Source, *, schemas: bool) -> Reading:
    table = source.version_table.name
    if not os.path.exists(source.location.file or ""):  # noqa: PTH110 - Path's may raise
        empty = _fingerprint((), table) if schemas else None
        return Reading(source.target, (), False, empty, _SERVER)
    with connected(source.location, source.timeouts) as connection:
        master = rows(connection, sqlite_schema.MASTER)
        own = sqlite_schema.same(table)
        known = any(
            sqlite_schema.same(name) == own for type_, name, *_ in master if type_ in _READABLE
        )
        heads = rows(connection, sqlite_schema.heads_sql(table)) if known else ()
    fingerprint = _fingerprint(tuple(master), table) if schemas else None
    found = standing(source, (head for (head,) in heads), _SERVER)
    return replace(found, has_version_table=known, fingerprint=fingerprint)


def _master(source: Source) -> list[sqlite_schema.Row]:
    if not os.path.exists(source.location.file or ""):  # noqa: PTH110 - Path's may raise
        return []
    with connected(source.location, source.timeouts) as connection:
        return list(rows(connection, sqlite_schema.MASTER))  # type: ignore[arg-type]  # its columns


@lru_cache(maxsize=64)
def _fingerprint(master: tuple[sqlite_schema.Row, ...], version_table: str) -> str:
    """Files of one class hold the same rows, mostly in the same order."""
    return fingerprint_of(sorted(_things(master, version_table)))


def _things(master: tuple[sqlite_schema.Row, ...], version_table: str) -> tuple[Thing, ...]:
    """Return what the statements say, and of each table what SQLAlchemy makes of its words."""
    rows_ = sqlite_schema.canonical(master, version_table)
    made_of = {
        name: (sql, *(row[3] for row in rows_ if row[0] == "index" and row[2] == name))
        for type_, name, _, sql in rows_
        if type_ == "table"
    }
    return tuple(
        _as_reflected(thing, made_of[thing.name]) if thing.kind == "table" else thing
        for thing in sqlite_schema.things(rows_)
    )


def _as_reflected(table: Thing, statements: tuple[str, ...]) -> Thing:
    kept = (detail for detail in table.details if detail[0] != sqlite_schema.WRITTEN)
    return replace(
        table, details=(*kept, (sqlite_schema.WRITTEN, reflected(table.name, statements)))
    )
