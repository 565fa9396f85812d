"""``status`` against the bare query, and how the cost of reading grows with the fleet."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks import fleets, svg, tables, verdicts
from benchmarks.contenders import BIN
from benchmarks.fleets import Fleet

_BARE = """
import json, sys, time
import pymysql
from sqlalchemy.engine import make_url

urls = [make_url(url) for url in sys.stdin.read().split()]
at_once = int(sys.argv[1])
connection = pymysql.connect(
    host=urls[0].host, port=urls[0].port, user=urls[0].username, password=urls[0].password
)
cursor, rows, began = connection.cursor(), 0, time.monotonic()
for start in range(0, len(urls), at_once):
    some = urls[start : start + at_once]
    arms = (f"SELECT {at}, version_num FROM `{url.database}`.alembic_version"
            for at, url in enumerate(some))
    cursor.execute(" UNION ALL ".join(arms))
    rows += len(cursor.fetchall())
print(json.dumps([time.monotonic() - began, rows]))
"""

UNION = 500
"""So many tables a statement: PyMySQL and the server like that better than all in one."""


def status(folder: Path, options: argparse.Namespace) -> None:
    """Print how long ``status`` of one MariaDB server takes."""
    count, many = options.status_databases, options.status_tables
    with fleets.mariadb(folder / "status", count, many) as fleet:
        start, heads, all_, some = _in_turns(fleet, options)
        schemas = median(_status(fleet, count) for _ in range(options.rounds))
    bare = min(all_, some)
    title = f"Status of {count:,} databases of {many} tables on one MariaDB server"
    tables.begin(title, "way", "seconds", "without the start", "against the bare query")
    _reading("`orchestrator status --heads`", heads, start, bare)
    _reading("`orchestrator status`, with the schemas", schemas, start, bare)
    _reading("bare `UNION ALL`, one statement", all_, 0, bare)
    _reading(f"bare `UNION ALL`, {UNION} tables a statement", some, 0, bare)
    tables.cells("start: `orchestrator status --heads` of one target", f"{start:.2f}", "", "")
    tables.end()


def _in_turns(fleet: Fleet, options: argparse.Namespace) -> list[float]:
    """Time ``status --heads`` of one and of all, and the bare query in one and in several."""
    count = len(fleet.tenants)
    times: list[list[float]] = [[], [], [], []]
    for _ in range(options.rounds * 3):
        fleet.list_first(1, options.parallel)
        times[0].append(_status(fleet, 1, "--heads"))
        fleet.list_first(count, options.parallel)
        times[1].append(_status(fleet, count, "--heads"))
        times[2].append(_bare(fleet, count))
        times[3].append(_bare(fleet, UNION))
    return [median(some) for some in times]


def growth(folder: Path, options: argparse.Namespace) -> None:
    """Print what fleets of growing sizes cost."""
    sizes = sorted(int(size) for size in options.growth.split(","))
    lines: dict[str, list[tuple[float, float]]] = {}
    title = f"Growth with the number of targets, databases of {options.growth_tables} tables"
    tables.begin(title, "seconds for", *(f"{size:,} targets" for size in sizes))
    kinds = (("SQLite", fleets.sqlite, max(sizes)), ("MariaDB", fleets.mariadb, options.growth_to))
    for name, make, most in kinds:
        fitting = [size for size in sizes if size <= most]
        with make(folder / "growth", max(fitting), options.growth_tables) as fleet:
            for verb in ("check", "status --heads"):
                found = [_cost(fleet, verb, size, options) for size in fitting]
                missing = ["not run"] * (len(sizes) - len(fitting))
                tables.cells(f"{name}, `{verb}`", *(f"{cost:.2f}" for cost in found), *missing)
                lines[f"{verb}, {name}"] = list(zip(fitting, found, strict=True))
    tables.end()
    if options.plot:
        words = ("Reading a fleet of one server and one schema class", "targets", "seconds")
        options.plot.write_text(svg.plot(*words, lines))


def _cost(fleet: Fleet, verb: str, size: int, options: argparse.Namespace) -> float:
    fleet.list_first(size, options.parallel)
    times = []
    for _ in range(options.rounds):
        if verb == "check":
            found = verdicts.ours(fleet)
            times.append(found.seconds)
        else:
            times.append(_status(fleet, size, "--heads"))
    return median(times)


def _status(fleet: Fleet, count: int, *arguments: str) -> float:
    """Time what is printed for people, and see from the JSON that all could be read."""
    command = [str(BIN / "orchestrator"), "status", *arguments]
    began = monotonic()
    subprocess.run(command, cwd=fleet.subject.folder, capture_output=True, check=True)
    seconds = monotonic() - began
    json_too = [*command, "-o", "json"]
    done = subprocess.run(json_too, cwd=fleet.subject.folder, capture_output=True, check=True)
    states = json.loads(done.stdout)["summary"]["states"]
    if states != {"current": count}:
        raise RuntimeError(f"status says {states}")
    return seconds


def _bare(fleet: Fleet, at_once: int) -> float:
    command = [sys.executable, "-c", _BARE, str(at_once)]
    urls = "\n".join(fleet.subject.urls)
    done = subprocess.run(command, input=urls, capture_output=True, text=True, check=True)
    seconds, rows = json.loads(done.stdout)
    if rows != len(fleet.tenants):
        raise RuntimeError(f"the bare query found {rows} rows")
    return float(seconds)


def _reading(label: str, seconds: float, start: float, bare: float) -> None:
    rest = seconds - start
    tables.cells(label, f"{seconds:.2f}", f"{rest:.2f}", f"{rest / bare:.2f} x")
