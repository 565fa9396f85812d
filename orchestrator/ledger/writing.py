"""Changes into rows, in bulk. Each statement may run twice and leaves what one run leaves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, Update, bindparam, false, func, true, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orchestrator.ledger import codec
from orchestrator.ledger.changes import AttemptKey, Changes, Row
from orchestrator.ledger.records import CommittingRecord
from orchestrator.ledger.standings import record
from orchestrator.ledger.tables import (
    approvals,
    attempts,
    gates,
    overrides,
    remarks,
    runs,
    targets,
    waves,
)

_MANY = 500
_RUN = "key_run"
# What a worker waits for before each revision: statements are built once.
_COMMIT_NOTES = (
    update(attempts)
    .where(
        attempts.c.run == bindparam(_RUN),
        attempts.c.position == bindparam("key_position"),
        attempts.c.number == bindparam("key_number"),
    )
    .values(committing=func.coalesce(attempts.c.committing, "").concat(bindparam("more")))
)


def write(connection: Connection, run: int, changes: Changes) -> None:
    """Write what changes in a run; the caller has its lease in the same transaction."""
    _update_run(connection, run, changes.run)
    _update(connection, waves, ("position",), run, _keyed(changes.waves, "position"))
    opened = (_attempt(run, key, row) for key, row in changes.opened.items())
    insert_missing(connection, attempts, list(opened))
    _commit_notes(connection, run, changes.committing)
    ended = [_attempt(run, key, row) for key, row in changes.ended.items()]
    _update(connection, attempts, ("position", "number"), run, ended)
    _update(connection, targets, ("position",), run, _keyed(changes.targets, "position"))
    for table, rows in (
        (gates, changes.gates),
        (approvals, changes.approvals),
        (overrides, changes.overrides),
        (remarks, changes.remarks),
    ):
        insert_missing(connection, table, [{"run": run, **row} for row in rows])
    record(connection, changes.sightings, run)
    _clear_doubts(connection, changes.cleared)


def _attempt(run: int, key: AttemptKey, row: Row) -> Row:
    position, number = key
    return {"run": run, "position": position, "number": number, **row}


def _keyed(rows: Mapping[int, Row], name: str) -> list[Row]:
    return [{name: key, **row} for key, row in rows.items()]


def _update_run(connection: Connection, run: int, columns: Row) -> None:
    if columns:
        values = dict(columns)
        if "started_at" in values:  # it starts once
            values["started_at"] = func.coalesce(runs.c.started_at, values["started_at"])
        connection.execute(update(runs).where(runs.c.id == run).values(**values))


def _update(
    connection: Connection, table: Table, keys: tuple[str, ...], run: int, rows: Iterable[Row]
) -> None:
    alike: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        alike[tuple(sorted(row))].append(row)
    for columns, several in alike.items():
        statement, names = _update_statement(table, keys, columns)
        renamed = [{names[name]: value for name, value in row.items()} for row in several]
        connection.execute(statement, [{**row, _RUN: run} for row in renamed])


@cache
def _update_statement(
    table: Table, keys: tuple[str, ...], columns: tuple[str, ...]
) -> tuple[Update, Mapping[str, str]]:
    """An update of rows that are found by their keys, and its parameter for each column."""
    # A parameter must not have the name of a column that is set.
    names = {name: f"key_{name}" if name in keys else f"to_{name}" for name in columns}
    where = [table.c[key] == bindparam(f"key_{key}") for key in keys]
    values: dict[str, Any] = {
        name: bindparam(names[name]) for name in columns if name not in (*keys, "run")
    }
    found = update(table).where(table.c.run == bindparam(_RUN), *where)
    return found.values(values), names


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows whose keys are not there yet."""
    if not rows:
        return
    statement: Any
    match connection.dialect.name:
        case "sqlite":
            statement = sqlite_insert(table).on_conflict_do_nothing()
        case "postgresql":
            statement = postgresql_insert(table).on_conflict_do_nothing()
        case _:  # INSERT IGNORE would ignore far more
            statement = mysql_insert(table).on_duplicate_key_update(run=table.c.run)
    connection.execute(statement, rows)


def _commit_notes(
    connection: Connection, run: int, notes: Mapping[AttemptKey, Sequence[CommittingRecord]]
) -> None:
    # Twice the same line is read as one.
    rows = [
        {_RUN: run, "key_position": key[0], "key_number": key[1], "more": codec.lines_of(several)}
        for key, several in notes.items()
    ]
    if rows:
        connection.execute(_COMMIT_NOTES, rows)


def _clear_doubts(connection: Connection, names: Iterable[str]) -> None:
    for several in batches((codec.key(name) for name in names), _MANY):
        statement = update(targets).where(targets.c.doubt == true(), targets.c.name.in_(several))
        connection.execute(statement.values(doubt=false()))


def batches(values: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Cut what may be many into lists."""
    left = iter(values)
    while several := list(islice(left, size)):
        yield several
