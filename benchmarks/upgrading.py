"""``upgrade`` against shell loops and plain SQL, and how long the command itself takes to start."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import TypeVar

from benchmarks import contenders, tables
from benchmarks.subject import Subject, write
from tests.servers import MariaDBServer, MySQLServer, PostgresServer

Private = TypeVar("Private", MariaDBServer, MySQLServer, PostgresServer)
LOOPED_AT_HEAD = 20


def upgrades(folder: Path, options: argparse.Namespace) -> None:
    """Empty databases to head, on MariaDB, MySQL and SQLite."""
    size = f"{options.targets} targets by {options.revisions} revisions"
    title = f"Upgrade of {size}, {options.workload} statement(s) each"
    tables.begin(title, "server", "way", "seconds", "against the orchestrator", texts=2)
    with private(MariaDBServer()) as server:
        _compare("MariaDB", on_server(server, folder / "mariadb"), options)
    with private(MySQLServer()) as server:
        _compare("MySQL", on_server(server, folder / "mysql"), options)
    _compare("SQLite", on_sqlite(folder), options)
    tables.end()


def at_head(folder: Path, options: argparse.Namespace) -> None:
    """An upgrade with nothing to do, on many SQLite files."""
    subject = on_sqlite(folder / "at-head")(options.at_head, options)
    contenders.orchestrator(subject)
    ours = median(contenders.orchestrator(subject) for _ in range(options.rounds))
    loop = contenders.shell_loop(subject, subject.urls[:LOOPED_AT_HEAD])
    scaled = loop * options.at_head / LOOPED_AT_HEAD
    title = f"Upgrade of {options.at_head} SQLite targets that are at head"
    tables.begin(title, "way", "seconds", "against the orchestrator")
    tables.row("`orchestrator upgrade`", ours, ours)
    tables.row(f"loop of `alembic upgrade head` ({LOOPED_AT_HEAD} timed, scaled)", scaled, ours)
    tables.end()


def start_up(rounds: int) -> None:
    """``orchestrator --help`` against importing what it is made of."""
    imports = [sys.executable, "-c", "import typer, rich"]
    helping = [str(contenders.BIN / "orchestrator"), "--help"]
    times: dict[str, list[float]] = {"imports": [], "help": []}
    for _ in range(rounds * 7):
        times["imports"].append(_run(imports))
        times["help"].append(_run(helping))
    ours, base = median(times["help"]), median(times["imports"])
    tables.begin("Start", "command", "seconds", "against the import")
    tables.row('`python -c "import typer, rich"`', base, base)
    tables.row("`orchestrator --help`", ours, base)
    tables.end()


def on_server(
    server: MariaDBServer | MySQLServer | PostgresServer, folder: Path
) -> Callable[..., Subject]:
    """Make fresh subjects on a server."""

    def new(count: int, options: argparse.Namespace) -> Subject:
        tenants = [f"t{number:04}" for number in range(count)]
        server.drop(*tenants)
        server.create(*tenants)
        urls = tuple(server.url(tenant) for tenant in tenants)
        template = server.url("TENANT").replace("TENANT", "{tenant}")
        return write(folder, template, urls, tenants, options)

    return new


def on_schemas(server: PostgresServer, folder: Path) -> Callable[..., Subject]:
    """Make fresh subjects whose targets are schemas of one database."""

    def new(count: int, options: argparse.Namespace) -> Subject:
        tenants = [f"t{number:04}" for number in range(count)]
        server.drop("shop")
        server.create("shop")
        server.execute_all([f"CREATE SCHEMA {tenant}" for tenant in tenants], "shop")
        template = server.url("shop")
        urls = tuple(f"{template}?options=-csearch_path%3D{tenant}" for tenant in tenants)
        return write(folder, template, urls, tenants, options, schema="{tenant}")

    return new


def on_sqlite(folder: Path) -> Callable[..., Subject]:
    """Make fresh subjects of SQLite files."""

    def new(count: int, options: argparse.Namespace) -> Subject:
        tenants = [f"t{number:04}" for number in range(count)]
        path = folder / "sqlite"
        urls = tuple(f"sqlite:///{path}/var/{tenant}.db" for tenant in tenants)
        template = "sqlite:///var/{tenant}.db"
        subject = write(path, template, urls, tenants, options)
        (path / "var").mkdir()
        return subject

    return new


@contextmanager
def private(server: Private) -> Iterator[Private]:
    """A private server, tuned as in the tests: the faster it is, the harder for us."""
    try:
        yield server.start()
    finally:
        server.close()


def _compare(name: str, new: Callable[..., Subject], options: argparse.Namespace) -> None:
    count = options.targets
    statements = contenders.recorded_sql(new(count, options))
    ours, limit = [], []
    for _ in range(options.rounds):
        limit.append(contenders.replay(new(count, options), statements))
        ours.append(contenders.orchestrator(new(count, options)))
    subject = new(count, options)
    parallel = contenders.xargs(subject, subject.urls)
    subject = new(count, options)
    loop = contenders.shell_loop(subject, subject.urls)
    base = median(ours)
    tables.row(f"{name} | `orchestrator upgrade`, {options.parallel} at once", base, base)
    tables.row(f"{name} | (a) loop of `alembic upgrade head`", loop, base)
    tables.row(f"{name} | (b) the same through `xargs -P {options.parallel}`", parallel, base)
    tables.row(f"{name} | (c) the same SQL on plain connections", median(limit), base)
    shutil.rmtree(subject.folder)


def _run(command: list[str]) -> float:
    began = monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return monotonic() - began
