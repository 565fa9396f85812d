"""What one more target that is at head costs ``upgrade``: the slope between two fleet sizes."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import contenders, tables
from benchmarks.distance import distance
from benchmarks.places import Databases, Files, Place, Schemas
from benchmarks.tables import preparing
from benchmarks.upgrading import private
from tests.servers import MariaDBServer, PostgresServer

ROUNDS = 3
"""For each of ``--rounds``: the slope is small beside what a whole command takes."""

Sizes = tuple[int, int]


def one_more(folder: Path, options: argparse.Namespace) -> None:
    """Print what a target at head costs in time, and in round trips."""
    few, many = sorted(int(size) for size in options.one_more.split(","))
    columns = (f"seconds for {few:,}", f"seconds for {many:,}", "ms for one more")
    counted = (f"round trips for {few:,}", f"for {many:,}", "for one more")
    tables.begin("Upgrade with one more target at head", "targets", *columns, *counted)
    for place in _places(folder):
        with preparing(f"{place.name}: {many} at head"):
            place.clear(many)
            contenders.orchestrator(place.write(folder / "first", many, options))
        seconds = _seconds(place, folder, (few, many), options)
        cells = [*(f"{took:.2f}" for took in seconds), f"{_slope(seconds, few, many) * 1000:.2f}"]
        if isinstance(place, Databases):
            trips = _round_trips(place, folder, (few, many), options)
            cells += [*(str(count) for count in trips), f"{_slope(trips, few, many):.2f}"]
        tables.cells(place.name, *cells, *[""] * (len(columns) + len(counted) - len(cells)))
    tables.end("Seconds without a network, medians of runs in turns; round trips of one run.")


def _places(folder: Path) -> Iterator[Place]:
    with private(MariaDBServer()) as mariadb:
        yield Databases("MariaDB databases", mariadb)
    with private(PostgresServer()) as postgres:
        yield Databases("PostgreSQL databases", postgres)
        yield Schemas("PostgreSQL schemas", postgres)
    yield Files("SQLite files", folder / "files")


def _seconds(
    place: Place, folder: Path, sizes: Sizes, options: argparse.Namespace
) -> tuple[float, float]:
    """Return what fleets of both sizes take, in turns."""
    subjects = [place.write(folder / f"of-{size}", size, options) for size in sizes]
    rounds: list[list[float]] = [[], []]
    for _ in range(options.rounds * ROUNDS):
        for subject, times in zip(subjects, rounds, strict=True):
            times.append(contenders.orchestrator(subject))
    return median(rounds[0]), median(rounds[1])


def _round_trips(
    place: Databases, folder: Path, sizes: Sizes, options: argparse.Namespace
) -> tuple[int, int]:
    """Return how many round trips fleets of both sizes take."""
    counts = []
    for size in sizes:
        with distance(place.server.port, 0) as network:
            through = place.through(network.port)
            contenders.orchestrator(through.write(folder / "through", size, options))
            counts.append(network.count().round_trips)
    return counts[0], counts[1]


def _slope(values: tuple[float, float], few: int, many: int) -> float:
    return (values[1] - values[0]) / (many - few)
