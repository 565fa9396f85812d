"""What it takes to plan for very many targets: time, and the most memory at once."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks import tables
from benchmarks.contenders import BIN

DATABASES = ("orders", "billing")
_REGIONS = ("eu", "us", "ap")

_LOAD = """
import sys
from orchestrator.actions.project import Project
if len(Project.load().targets()) != int(sys.argv[1]):
    sys.exit("not all targets are there")
"""


def planning(folder: Path, options: argparse.Namespace) -> None:
    """Print what planning costs, with tenants in the file and beside it."""
    count = options.planned * len(DATABASES)
    title = f"Planning {count:,} targets: {options.planned:,} tenants, {len(DATABASES)} databases"
    tables.begin(title, "tenants", "way", "seconds", "most memory, MB", texts=2)
    commands = (
        ("`orchestrator targets -o json`", [str(BIN / "orchestrator"), "targets", "-o", "json"]),
        ("`Project.load().targets()`", [sys.executable, "-c", _LOAD, str(count)]),
    )
    for where, listed in (("in the file", _listed), ("in a CSV file", _in_csv)):
        project = folder / "planning" / where.replace(" ", "-")
        _write(project, options.planned, listed)
        for label, command in commands:
            found = [_measured(command, project) for _ in range(options.rounds)]
            seconds, memory = median(s for s, _ in found), max(m for _, m in found)
            tables.cells(where, label, f"{seconds:.2f}", f"{memory:.0f}")
    tables.end()


def _write(folder: Path, tenants: int, listed: Callable[[Path, int], str]) -> None:
    folder.mkdir(parents=True)
    databases = ""
    for database in DATABASES:
        (folder / f"migrations/{database}/versions").mkdir(parents=True)
        (folder / f"migrations/{database}/env.py").write_text("")
        databases += f'[databases.{database}]\nscript_location = "migrations/{database}"\n\n'
    (folder / "environments.toml").write_text(
        f"""
[project]
name = "benchmark"

{databases}
[environments.prod]
url = "postgresql+psycopg://app:${{env:DB_PASSWORD}}@{{server}}.example.com/{{database}}_{{tenant}}"
{listed(folder, tenants)}
"""
    )


def _listed(_: Path, count: int) -> str:
    rows = "".join(
        f'    {{ name = "{name}", server = "{server}", region = "{region}", plan = "{plan}" }},\n'
        for name, server, region, plan in map(_tenant, range(count))
    )
    return f"tenants = [\n{rows}]"


def _in_csv(folder: Path, count: int) -> str:
    rows = "".join(f"{','.join(_tenant(number))}\n" for number in range(count))
    (folder / "tenants.csv").write_text(f"name,server,region,plan\n{rows}")
    return 'tenants = { csv = "tenants.csv" }'


def _tenant(number: int) -> tuple[str, str, str, str]:
    plan = "free" if number % 2 else "paid"
    return f"t{number:05}", f"db{number % 20}", _REGIONS[number % len(_REGIONS)], plan


def _measured(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Return a command's seconds, and its peak memory in MB.

    The kernel counts what this process had when it started the other: it must be the smaller.
    """
    with tempfile.TemporaryFile() as output:
        began = monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed:\n{output.read().decode()[-3000:]}")
    return seconds, usage.ru_maxrss / 1024
