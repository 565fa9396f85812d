"""``check`` against Alembic's own ways, on all four servers, with the same verdicts."""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

from benchmarks import fleets, tables, verdicts
from benchmarks.fleets import Fleet

Make = Callable[..., AbstractContextManager[Fleet]]

LOOPED = 20


def check(folder: Path, options: argparse.Namespace) -> None:
    """Print how long ``check`` takes."""
    title = f"Check of databases of {options.tables} tables, {len(fleets.DRIFT)} of them drifted"
    tables.begin(title, "targets", "way", "seconds", "against the orchestrator", texts=2)
    notes: list[str] = []
    servers: tuple[tuple[str, Make, int, int, bool], ...] = (
        ("MariaDB databases", fleets.mariadb, options.databases, options.compared, True),
        ("MySQL databases", fleets.mysql, options.mysql_databases, options.compared, True),
        ("PostgreSQL schemas", fleets.postgresql, options.schemas, options.compared_schemas, True),
        ("SQLite files", fleets.sqlite, options.files, options.compared_files, False),
    )
    for name, make, count, compared, looped in servers:
        if count:
            with make(folder / "check", count, options.tables, drift=True) as fleet:
                fleet.list_first(count, options.parallel)
                notes.append(_compare(f"{count:,} {name}", fleet, compared, options, looped=looped))
    tables.end(*notes)


def _compare(
    name: str, fleet: Fleet, compared: int, options: argparse.Namespace, *, looped: bool
) -> str:
    count = len(fleet.tenants)
    rounds = [verdicts.ours(fleet) for _ in range(options.rounds)]
    for found in rounds:
        _same(name, found.differ, fleet.drifted)
    base = median(found.seconds for found in rounds)
    tables.row(f"{name} | `orchestrator check`", base, base)
    if looped:
        chosen = fleet.sample(LOOPED, 1)
        found = verdicts.loop(fleet, chosen)
        _same(name, found.differ, fleet.drifted & set(chosen))
        seconds = found.scaled(len(chosen), count)
        how = f"({len(chosen)} timed, scaled)"
        tables.row(f"{name} | (a) loop of `alembic check` {how}", seconds, base)
    chosen = fleet.sample(compared, len(fleet.drifted))
    found = verdicts.in_process(fleet, chosen)
    _same(name, found.differ, fleet.drifted)
    how = "" if len(chosen) == count else f" ({len(chosen)} timed, scaled)"
    seconds = found.scaled(len(chosen), count)
    tables.row(f"{name} | (b) one process looping over `compare_metadata`{how}", seconds, base)
    return f"{name}: all ways say that {', '.join(sorted(fleet.drifted))} differ, and no other."


def _same(name: str, found: frozenset[str], expected: frozenset[str]) -> None:
    if found != expected:
        raise RuntimeError(f"{name}: {sorted(found)} differ in place of {sorted(expected)}")
