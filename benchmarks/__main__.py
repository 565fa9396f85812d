"""Run measurements and print them as Markdown tables: all, or the sections that are named.

Everything that is compared runs in one process after the other on one machine, what is fast
several times in turns with what it is compared to; the median counts.
"""

import argparse
import compileall
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import orchestrator
from benchmarks.checking import check
from benchmarks.clusters import clusters
from benchmarks.dashboard import dashboard
from benchmarks.failing import failing
from benchmarks.growing import layouts, upgrade_growth
from benchmarks.networks import networks
from benchmarks.one_more import one_more
from benchmarks.peers import peers
from benchmarks.planning import planning
from benchmarks.reading import growth, status
from benchmarks.rolling import rolling
from benchmarks.subject import WORKLOADS
from benchmarks.upgrading import at_head, start_up, upgrades

SECTIONS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "upgrade": upgrades,
    "peers": peers,
    "failing": failing,
    "network": networks,
    "upgrade-growth": upgrade_growth,
    "layouts": layouts,
    "at-head": at_head,
    "one-more": one_more,
    "start": lambda _, options: start_up(options.rounds),
    "check": check,
    "status": status,
    "growth": growth,
    "planning": planning,
    "rolling": rolling,
    "cluster": clusters,
    "dashboard": dashboard,
}


def main() -> None:
    """Parse the arguments and run."""
    options = _parser().parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        raise SystemExit(
            f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}"
        )
    # Bytecode for all, as on a user's machine: an install writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(str(Path(orchestrator.__file__).parent), quiet=2)
    compileall.compile_dir(str(Path(os.__file__).parent / "site-packages"), quiet=2)
    compileall.compile_path(quiet=2)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n", flush=True)
    for name in options.sections or SECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            SECTIONS[name](Path(folder), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    add = parser.add_argument
    add("--parallel", type=int, default=2, help="what is worked on at once")
    add("--rounds", type=int, default=3, help="how often what is fast runs")
    add("--targets", type=int, default=100, help="upgrade: databases, and as many files")
    add("--revisions", type=int, default=20, help="upgrade: revisions of each")
    add("--workload", choices=sorted(WORKLOADS), default="one", help="upgrade: what they do")
    add("--without", default="", help="peers: tools to leave out, as sqitch,liquibase")
    add("--fleets", default="10,100,1000,5000", help="upgrade-growth: numbers of targets")
    add("--mariadb-fleet", type=int, default=5000, help="upgrade-growth: most MariaDB databases")
    add("--postgresql-fleet", type=int, default=1000, help="… most PostgreSQL databases")
    add("--schemas-fleet", type=int, default=5000, help="… most PostgreSQL schemas")
    add("--distances", default="0,1,20", help="network, cluster: ms of round trips")
    add("--near-targets", type=int, default=100, help="network: databases")
    add("--far-targets", type=int, default=20, help="network: databases from 10 ms on")
    add("--at-head", type=int, default=1000, help="at-head: SQLite files")
    add("--one-more", default="100,300", help="one-more: two numbers of targets")
    add("--databases", type=int, default=1000, help="check: MariaDB databases")
    add("--mysql-databases", type=int, default=500, help="check: MySQL databases")
    add("--schemas", type=int, default=1000, help="check: PostgreSQL schemas")
    add("--files", type=int, default=10_000, help="check: SQLite files")
    add("--tables", type=int, default=20, help="check: tables of each")
    add("--compared", type=int, default=1000, help="check: databases to compare in one process")
    add("--compared-schemas", type=int, default=200, help="check: schemas to compare so")
    add("--compared-files", type=int, default=500, help="check: files to compare so")
    add("--status-databases", type=int, default=2000, help="status: databases")
    add("--status-tables", type=int, default=20, help="status: tables of each")
    add("--growth", default="100,1000,10000", help="growth: numbers of targets")
    add("--growth-to", type=int, default=10_000, help="growth: most MariaDB databases to make")
    add("--growth-tables", type=int, default=5, help="growth: tables of each")
    add("--plot", type=Path, metavar="FILE", help="growth: draw it, too, as SVG")
    add("--planned", type=int, default=50_000, help="planning: tenants of two databases")
    add("--cluster", default="jobs,upgrade,afar,memory", help="cluster: what of it")
    add("--jobs", type=int, default=2000, help="cluster, jobs: how many")
    add("--cluster-targets", type=int, default=2000, help="cluster, upgrade: databases")
    add("--cluster-far-targets", type=int, default=100, help="cluster, afar: databases")
    add("--cluster-simulated", default="2000,10000", help="cluster, memory: numbers of targets")
    add("--simulated", type=int, default=100_000, help="rolling: targets")
    return parser


if __name__ == "__main__":
    main()
