"""Run all measurements and print them as Markdown tables.

Everything that is compared runs in one process after the other on one machine, what is fast
several times in turns with what it is compared to; the median counts.
"""

import argparse
import compileall
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic

import orchestrator
from benchmarks import contenders
from benchmarks.subject import WORKLOADS, Subject, write
from tests.servers import MariaDBServer

LOOPED_AT_HEAD = 20


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--revisions", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--workload", choices=sorted(WORKLOADS), default="one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-head", type=int, default=1000, help="SQLite targets at head")
    options = parser.parse_args()
    # Bytecode for all, as on a user's machine: an install writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(str(Path(orchestrator.__file__).parent), quiet=2)
    compileall.compile_dir(str(Path(os.__file__).parent / "site-packages"), quiet=2)
    compileall.compile_path(quiet=2)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as folder:
        upgrades(Path(folder), options)
        at_head(Path(folder) / "at-head", options)
    start_up(options.rounds)


def upgrades(folder: Path, options: argparse.Namespace) -> None:
    """Empty databases to head, on MariaDB and SQLite."""
    size = f"{options.targets} targets by {options.revisions} revisions"
    print(f"## Upgrade of {size}, {options.workload} statement(s) each\n")
    print("| server | way | seconds | against the orchestrator |")
    print("| --- | --- | ---: | ---: |")
    with mariadb() as server:
        for name, new in (("MariaDB", on_mariadb(server, folder)), ("SQLite", on_sqlite(folder))):
            _compare(name, new, options)
    print()


def at_head(folder: Path, options: argparse.Namespace) -> None:
    """An upgrade with nothing to do, on many SQLite files."""
    subject = on_sqlite(folder)(options.at_head, options)
    contenders.orchestrator(subject)
    ours = median(contenders.orchestrator(subject) for _ in range(options.rounds))
    loop = contenders.shell_loop(subject, subject.urls[:LOOPED_AT_HEAD])
    scaled = loop * options.at_head / LOOPED_AT_HEAD
    print(f"## Upgrade of {options.at_head} SQLite targets that are at head\n")
    print("| way | seconds | against the orchestrator |\n| --- | ---: | ---: |")
    _row("`orchestrator upgrade`", ours, ours)
    _row(f"loop of `alembic upgrade head` ({LOOPED_AT_HEAD} timed, scaled)", scaled, ours)
    print()


def start_up(rounds: int) -> None:
    """``orchestrator --help`` against importing what it is made of."""
    imports = [sys.executable, "-c", "import typer, rich"]
    helping = [str(contenders.BIN / "orchestrator"), "--help"]
    times: dict[str, list[float]] = {"imports": [], "help": []}
    for _ in range(rounds * 7):
        times["imports"].append(_run(imports))
        times["help"].append(_run(helping))
    ours, base = median(times["help"]), median(times["imports"])
    print("## Start\n\n| command | seconds | against the import |\n| --- | ---: | ---: |")
    _row('`python -c "import typer, rich"`', base, base)
    _row("`orchestrator --help`", ours, base)


def on_mariadb(server: MariaDBServer, folder: Path) -> Callable[..., Subject]:
    """Make fresh subjects on a MariaDB server."""

    def new(count: int, options: argparse.Namespace) -> Subject:
        tenants = [f"t{number:04}" for number in range(count)]
        server.drop(*tenants)
        server.create(*tenants)
        urls = tuple(server.url(tenant) for tenant in tenants)
        template = server.url("TENANT").replace("TENANT", "{tenant}")
        return write(folder / "mariadb", template, urls, tenants, options)

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
def mariadb() -> Iterator[MariaDBServer]:
    """A private MariaDB server, tuned as in the tests: the faster it is, the harder for us."""
    server = MariaDBServer()
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
    _row(f"{name} | `orchestrator upgrade`, {options.parallel} at once", base, base)
    _row(f"{name} | (a) loop of `alembic upgrade head`", loop, base)
    _row(f"{name} | (b) the same through `xargs -P {options.parallel}`", parallel, base)
    _row(f"{name} | (c) the same SQL on plain connections", median(limit), base)
    shutil.rmtree(subject.folder)


def _row(label: str, seconds: float, base: float) -> None:
    print(f"| {label} | {seconds:.2f} | {seconds / base:.2f} x |", flush=True)


def _run(command: list[str]) -> float:
    began = monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return monotonic() - began


if __name__ == "__main__":
    main()
