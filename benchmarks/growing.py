"""``upgrade`` beside the plain driver: as the fleet grows, and in databases or schemas."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import contenders, tables
from benchmarks.counted import sampled
from benchmarks.memory import Peak, watched
from benchmarks.places import Databases, Schemas
from benchmarks.tables import preparing
from benchmarks.upgrading import private
from tests.servers import MariaDBServer, PostgresServer

PLAIN = "the same SQL on plain driver connections"
OURS = "`orchestrator upgrade`"
COLUMNS = ("seconds", "ms per target", "against the plain driver")
ROUNDS_OF = 1000
"""Targets in all rounds of a size: from so many on, there is one."""


def upgrade_growth(folder: Path, options: argparse.Namespace) -> None:
    """Empty to head for fleets of growing sizes: the time for each target, and the most memory."""
    sizes = sorted(int(size) for size in options.fleets.split(","))
    title = f"Upgrade of growing fleets on one server, {options.revisions} revisions each"
    memory = ("command, MB", "with its workers, MB", "processes")
    tables.begin(title, "targets", "way", *COLUMNS, *memory, texts=2)
    for most, place in _places(options):
        for size in [size for size in sizes if size <= most]:
            found = _measure(place, folder, size, options)
            _rows(f"{size:,} {place.name}", size, found, _remembered(found.peak))
    tables.end(
        "Memory is the most that was resident at once; what is shared counts in each process."
    )


def layouts(folder: Path, options: argparse.Namespace) -> None:
    """Empty to head on PostgreSQL, in a database or in a schema for each tenant."""
    count = options.targets
    title = f"Upgrade of {count:,} PostgreSQL tenants by {options.revisions} revisions"
    tables.begin(title, "each tenant in", "way", *COLUMNS, texts=2)
    with private(PostgresServer()) as server:
        for place in (Databases("a database", server), Schemas("a schema", server)):
            _rows(place.name, count, _measure(place, folder, count, options))
    tables.end()


@dataclass
class Found:
    """What both ways took, round by round, and the most memory of the command."""

    plain: list[float]
    ours: list[float]
    peak: Peak


def _places(options: argparse.Namespace) -> Iterator[tuple[int, Databases]]:
    """Yield each place that is asked for, with the size of the largest fleet that it may have."""
    if most := options.mariadb_fleet:
        with private(MariaDBServer()) as mariadb:
            yield most, Databases("MariaDB databases", mariadb)
    if most := options.postgresql_fleet:
        with private(PostgresServer()) as postgres:
            yield most, Databases("PostgreSQL databases", postgres)
    if most := options.schemas_fleet:
        with private(PostgresServer()) as postgres:
            yield most, Schemas("PostgreSQL schemas", postgres)


def _measure(place: Databases, folder: Path, count: int, options: argparse.Namespace) -> Found:
    """Run both ways in turns. Raises ``RuntimeError`` unless they make the same tables."""
    subject = place.write(folder / "project", count, options)
    statements = contenders.recorded_sql(subject)
    found = Found([], [], Peak())
    for _ in range(max(1, min(options.rounds, ROUNDS_OF // count))):
        _clear(place, count)
        found.plain.append(contenders.replay(subject, statements))
        made = sampled(subject.urls)
        _clear(place, count)
        place.write(folder / "project", count, options)  # a ledger that knows of no run
        seconds, peak = watched([str(contenders.BIN / "orchestrator"), "upgrade"], subject.folder)
        found.ours.append(seconds)
        found.peak.include(peak)
        if sampled(subject.urls) != made or not all(made):
            raise RuntimeError(f"{place.name}: {sampled(subject.urls)} tables, in place of {made}")
    return found


def _clear(place: Databases, count: int) -> None:
    with preparing(f"{place.name}: {count} empty ones"):
        place.clear(count)


def _rows(label: str, count: int, found: Found, remembered: tuple[str, ...] = ()) -> None:
    base = median(found.plain)
    for way, rounds, more in (
        (PLAIN, found.plain, tuple("" for _ in remembered)),
        (OURS, found.ours, remembered),
    ):
        took = median(rounds)
        numbers = (f"{took:.2f}", f"{took / count * 1000:.1f}", f"{took / base:.2f} x")
        tables.cells(label, way, *numbers, *more)


def _remembered(peak: Peak) -> tuple[str, ...]:
    return f"{peak.command:.0f}", f"{peak.together:.0f}", str(peak.processes)
