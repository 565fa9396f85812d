"""``upgrade`` beside other tools and the plain driver, in turns, and equal ends compared after."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks import contenders, tables
from benchmarks.counted import counted
from benchmarks.subject import Subject
from benchmarks.tools.dbmate import dbmate
from benchmarks.tools.django_tenants import django_tenants
from benchmarks.tools.installing import found
from benchmarks.tools.liquibase import liquibase
from benchmarks.tools.own import orchestrator
from benchmarks.tools.sqitch import sqitch
from benchmarks.tools.tool import Revisions, Tool, revisions
from benchmarks.upgrading import on_schemas, on_server, private
from tests.servers import MariaDBServer, MySQLServer, PostgresServer

AT_ONCE = (2, 8)
PLAIN = "the same SQL on plain driver connections"
New = Callable[[int, argparse.Namespace], Subject]


def peers(folder: Path, options: argparse.Namespace) -> None:
    """Empty targets to head with each tool, on MariaDB, MySQL and PostgreSQL."""
    without = options.without.split(",")
    some = [tool for tool in (dbmate, sqitch, liquibase) if tool.__name__ not in without]
    tools, notes = found((*some, orchestrator), folder)
    of_schemas, more_notes = found((django_tenants, orchestrator), folder)
    size = f"{options.targets} targets by {options.revisions} revisions"
    title = f"Upgrade of {size}, beside other tools"
    tables.begin(title, "server", "at once", "way", "seconds", "against the plain driver", texts=3)
    with private(MariaDBServer()) as mariadb:
        _compare("MariaDB", on_server(mariadb, folder / "mariadb"), options, tools)
    with private(MySQLServer()) as mysql:
        _compare("MySQL", on_server(mysql, folder / "mysql"), options, tools)
    with private(PostgresServer()) as postgresql:
        _compare("PostgreSQL", on_server(postgresql, folder / "postgresql"), options, tools)
        new = on_schemas(postgresql, folder / "schemas")
        _compare("PostgreSQL, schemas", new, options, of_schemas)
    tables.end(*notes, *more_notes)


def _compare(name: str, new: New, options: argparse.Namespace, tools: Sequence[Tool]) -> None:
    for at_once in AT_ONCE:
        given = argparse.Namespace(**{**vars(options), "parallel": at_once})
        for label, seconds, base in _measured(new, given, tools):
            tables.row(f"{name} | {at_once} | {label}", seconds, base)


def _measured(
    new: New, options: argparse.Namespace, tools: Sequence[Tool]
) -> list[tuple[str, float, float]]:
    """Return the label of each way, its seconds, and those of the plain driver."""
    statements = contenders.recorded_sql(new(options.targets, options))
    sql = tuple(revisions(statements))
    plain: list[float] = []
    seconds: dict[Tool, list[float]] = {tool: [] for tool in tools}
    ends: dict[str, set[tuple[int, int, int]]] = {}
    for turn in range(options.rounds):
        subject = new(options.targets, options)
        plain.append(contenders.replay(subject, statements))
        ends[PLAIN] = {counted(url) for url in subject.urls}
        for tool in tools:
            if not (turn and _few(tool, options)):
                subject = new(_few(tool, options) or options.targets, options)
                seconds[tool].append(_timed(tool, subject, sql, options.targets))
                ends[tool.label] = {counted(url) for url in subject.urls}
    if any(end != ends[PLAIN] for end in ends.values()):
        raise RuntimeError(f"not the same tables, columns and indexes afterwards: {ends}")
    base = median(plain)
    rows = [(_label(tool, options), median(took), base) for tool, took in seconds.items()]
    return [(PLAIN, base, base), *rows]


def _timed(tool: Tool, subject: Subject, sql: Revisions, targets: int) -> float:
    """Return what ``targets`` would take if each took as long as one of these."""
    return tool.ready(subject, sql).seconds() * targets / len(subject.urls)


def _few(tool: Tool, options: argparse.Namespace) -> int | None:
    """Return how many targets are timed where it is not all of them."""
    return tool.most if tool.most and tool.most < options.targets else None


def _label(tool: Tool, options: argparse.Namespace) -> str:
    label = tool.label.format(at_once=options.parallel)
    few = _few(tool, options)
    return f"{label} ({few} timed once, scaled)" if few else label
