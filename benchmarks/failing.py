"""What each tool does where one target of ten fails in the middle of its revisions."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import contenders, tables
from benchmarks.counted import named
from benchmarks.said import Said, said, shortened
from benchmarks.subject import Subject
from benchmarks.tools.dbmate import dbmate
from benchmarks.tools.django_tenants import django_tenants
from benchmarks.tools.installing import found
from benchmarks.tools.liquibase import liquibase
from benchmarks.tools.own import alembic, orchestrator, tolerant
from benchmarks.tools.sqitch import sqitch
from benchmarks.tools.tool import Invocation, Revisions, Tool, revisions
from benchmarks.upgrading import on_schemas, on_server, private
from tests.servers import MariaDBServer, PostgresServer

TARGETS = 10
REVISIONS = 4
FAILING = 4
OBSTACLE = "p2"
"""The second of two tables that the third revision creates. It is there already."""
COLUMNS = (
    *("server", "way", "exit code", "the other nine", "the one that fails"),
    *("says which", "says why", "run again", "run again once that one is put right"),
)
NOTE = """\
Two at once. Each revision creates two tables, and the second one of the third revision is there
already in the fifth target. "2 and a half of 4": two revisions, and the first table of the next.
"Says which": whether a line names the target because it failed, and whether that line has the
server's message, too. Put right: neither that table is there any more nor any other of an
unfinished revision."""
New = Callable[[int, argparse.Namespace], Subject]


class Run(NamedTuple):
    """What one run of a tool did."""

    code: int
    done: int
    failed: str
    said: Said

    @property
    def short(self) -> str:
        """What a later run did, in one cell."""
        return f"exit code {self.code}, {self.done} others done, this one {self.failed}"


def failing(folder: Path, _: argparse.Namespace) -> None:
    """Ten targets, in the fifth of which the third of four revisions fails halfway."""
    of_databases = (orchestrator, tolerant, alembic, dbmate, sqitch, liquibase)
    tools, notes = found(of_databases, folder)
    of_schemas, more_notes = found((orchestrator, django_tenants), folder)
    title = f"One of {TARGETS} targets fails in the middle of its {REVISIONS} revisions"
    tables.begin(title, *COLUMNS, texts=len(COLUMNS))
    quotes: list[str] = []
    with private(MariaDBServer()) as mariadb:
        quotes += _tried("MariaDB", on_server(mariadb, folder / "mariadb"), tools)
    with private(PostgresServer()) as postgresql:
        quotes += _tried("PostgreSQL", on_server(postgresql, folder / "postgresql"), tools)
        new = on_schemas(postgresql, folder / "schemas")
        quotes += _tried("PostgreSQL, schemas", new, of_schemas)
    tables.end(NOTE, *notes, *more_notes, *quotes)


def _tried(name: str, new: New, tools: Sequence[Tool]) -> list[str]:
    """Print a row for each tool, and return what it said."""
    options = argparse.Namespace(parallel=2, revisions=REVISIONS, workload="pair")
    sql = tuple(revisions(contenders.recorded_sql(new(1, options))))
    quotes = []
    for tool in tools:
        label = tool.label.format(at_once=options.parallel)
        subject = new(TARGETS, options)
        runs = _runs(tool, subject, sql)
        tables.cells(name, label, *_cells(tool, subject, runs))
        quotes += [_quoted(f"{name}, {label}", subject, runs)]
    return quotes


def _cells(tool: Tool, subject: Subject, runs: Sequence[Run]) -> list[str]:
    first, again, mended = runs
    cells = [str(first.code), f"{first.done} done", first.failed, first.said.which, first.said.why]
    cells += [again.short, mended.short]
    if mended.code and tool.retry:
        retried = _run(tool.retry(subject, subject.tenants[FAILING]), subject, set())
        cells[-1] += f"; as it tells to retry: {retried.short}"
    return cells


def _runs(tool: Tool, subject: Subject, sql: Revisions) -> tuple[Run, Run, Run]:
    """Run it, run it again, and once more when somebody has put the target right."""
    url = subject.urls[FAILING]
    invocation = tool.ready(subject, sql)
    contenders.execute(url, f"CREATE TABLE {OBSTACLE} (id INTEGER)")
    first, again = (_run(invocation, subject, {OBSTACLE}) for _ in range(2))
    for table in named(url) - _tables(range(_whole(named(url) - {OBSTACLE}))):
        contenders.execute(url, f"DROP TABLE {table}")
    return first, again, _run(invocation, subject, set())


def _run(invocation: Invocation, subject: Subject, obstacles: set[str]) -> Run:
    done = invocation.run()
    others = [url for number, url in enumerate(subject.urls) if number != FAILING]
    ends = [_state(named(url)) for url in others]
    failed = _state(named(subject.urls[FAILING]) - obstacles)
    whole = ends.count(_state(_tables(range(REVISIONS))))
    return Run(done.returncode, whole, failed, said(done.stdout, subject.tenants, FAILING))


def _state(found: frozenset[str]) -> str:
    """Tell how many revisions are there, and whether there is more."""
    whole = _whole(found)
    half = " and a half" if found - _tables(range(whole)) else ""
    return f"{whole}{half} of {REVISIONS}"


def _whole(found: frozenset[str]) -> int:
    return max(count for count in range(REVISIONS + 1) if _tables(range(count)) <= found)


def _tables(numbers: range) -> frozenset[str]:
    return frozenset(f"{letter}{number}" for number in numbers for letter in "tp")


def _quoted(title: str, subject: Subject, runs: Sequence[Run]) -> str:
    """What the runs said of the failure, as a block."""
    lines = []
    for which, run in zip(("first", "again", "put right"), runs, strict=True):
        lines += [f"{which}: {shortened(line, subject)}" for line in run.said.lines if run.code]
    return "\n".join((f"{title}:", "", "```text", *lines, "```"))
