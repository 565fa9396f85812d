"""``upgrade``, dbmate and the plain driver through a network: what a round trip costs each."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import contenders, tables
from benchmarks.counted import counted
from benchmarks.distance import Count, Distance, distance
from benchmarks.places import Databases
from benchmarks.subject import Subject
from benchmarks.tools.dbmate import dbmate
from benchmarks.tools.tool import Revisions, Tool, revisions
from benchmarks.upgrading import private
from tests.servers import MariaDBServer, MySQLServer, PostgresServer

FAR = 0.01
"""Seconds of a round trip, from which on there are fewer targets."""

Ways = Mapping[str, Callable[[Subject], float]]


@dataclass
class Runs:
    """The runs of one way, round by round; what went through the network in the last of them."""

    seconds: list[float] = field(default_factory=list)
    tables: list[tuple[int, int, int]] = field(default_factory=list)
    count: Count | None = None


def networks(folder: Path, options: argparse.Namespace) -> None:
    """Empty databases to head, the server next to us and some time away."""
    tool = dbmate(folder / "dbmate")
    title = f"Upgrade through a network, {options.revisions} revisions, {options.parallel} at once"
    columns = ("targets", "seconds", "against the plain driver")
    counted = ("round trips per target", "connections per target", "network busy")
    tables.begin(title, "server", "round trip", "way", *columns, *counted, texts=3)
    for place in _servers():
        for away in (None, *(float(ms) / 1000 for ms in options.distances.split(","))):
            _measure(place, away, folder, options, tool)
    tables.end(
        "“Direct” is without a network. “Network busy” is the share of the time for which the "
        "network's own process used a CPU."
    )


def _servers() -> Iterator[Databases]:
    with private(MariaDBServer()) as mariadb:
        yield Databases("MariaDB", mariadb)
    with private(MySQLServer()) as mysql:
        yield Databases("MySQL", mysql)
    with private(PostgresServer()) as postgres:
        yield Databases("PostgreSQL", postgres)


def _measure(
    place: Databases, away: float | None, folder: Path, options: argparse.Namespace, tool: Tool
) -> None:
    """Run all ways in turns at one distance, and print a row of each."""
    count = options.far_targets if away and away >= FAR else options.near_targets
    with _at(place, away) as (reached, network):
        subject = reached.write(folder / "project", count, options)
        statements = contenders.recorded_sql(subject)
        ways: Ways = {
            "the same SQL on plain driver connections": partial(
                contenders.replay, statements=statements
            ),
            tool.label.format(at_once=options.parallel): partial(
                _peer, tool=tool, sql=tuple(revisions(statements))
            ),
            "`orchestrator upgrade`": contenders.orchestrator,
        }
        runs = {way: Runs() for way in ways}
        for _ in range(options.rounds):
            for way, run in ways.items():
                place.clear(count)
                reached.write(folder / "project", count, options)  # a ledger that knows of no run
                _run(partial(run, subject), runs[way], network)
                # Not through the network, whose traffic is counted.
                near = place.write(folder / "near", count, options)
                runs[way].tables = [counted(url) for url in near.urls]
    if any(found.tables != next(iter(runs.values())).tables for found in runs.values()):
        raise RuntimeError(f"{place.name}: not the same tables afterwards: {runs}")
    _rows(place.name, away, count, runs)


def _peer(subject: Subject, tool: Tool, sql: Revisions) -> float:
    return tool.ready(subject, sql).seconds()


@contextmanager
def _at(place: Databases, away: float | None) -> Iterator[tuple[Databases, Distance | None]]:
    """Give the place as it is reached from so far away."""
    if away is None:
        yield place, None
        return
    with distance(place.server.port, away) as network:
        yield place.through(network.port), network


def _run(way: Callable[[], float], runs: Runs, network: Distance | None) -> None:
    before = network.count() if network else None
    runs.seconds.append(way())
    if network and before:
        runs.count = network.count().since(before)


def _rows(server: str, away: float | None, count: int, runs: Mapping[str, Runs]) -> None:
    distant = "direct" if away is None else f"{away * 1000:g} ms"
    base = median(next(iter(runs.values())).seconds)
    for way, found in runs.items():
        took, through = median(found.seconds), found.count
        counted: tuple[str, ...] = ("", "", "")
        if through:
            each = (through.round_trips / count, through.connections / count)
            counted = (*(f"{n:.1f}" for n in each), f"{through.busy / found.seconds[-1]:.0%}")
        numbers = (str(count), f"{took:.2f}", f"{took / base:.2f} x")
        tables.cells(server, distant, way, *numbers, *counted)
