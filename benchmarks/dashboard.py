"""What the dashboard costs: the run that many watch, its own memory, and the browser."""

import argparse
import http.client
import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import tables
from benchmarks.rolling import SimulatedEngine, done, run
from orchestrator.config.roles import Role
from tests.project_folder import ProjectFolder, wait_until
from tests.web.chromium import CHROMIUM, FLAGS

_WATCHERS = 50
_TARGETS = 2_000
_RATE = 150
"""Simulated targets that end in a second."""
_SECONDS = 5


def dashboard(folder: Path, options: argparse.Namespace) -> None:
    """Print what a dashboard costs the run that is watched, and the browser that watches."""
    _watched(folder, options.rounds)
    _shown(folder, options.simulated)


def _watched(folder: Path, rounds: int) -> None:
    tables.begin(
        f"An upgrade of {_TARGETS:,} SQLite files by one revision, {_WATCHERS} browsers on it",
        "watched by",
        "seconds",
        "against nobody",
        "memory of serve, MB",
        "CPU of serve, s",
    )
    took: dict[int, list[float]] = {0: [], _WATCHERS: []}
    memory, cpu = 0.0, 0.0
    for number in range(rounds):
        for watchers in (0, _WATCHERS):
            place = folder / f"watched-{number}-{watchers}"
            place.mkdir()
            found = _upgrade(place, watchers)
            took[watchers].append(found[0])
            memory, cpu = max(memory, found[1]), max(cpu, found[2])
    base = median(took[0])
    tables.cells("nobody", f"{base:.2f}", "1.00 x", "", "")
    own = median(took[_WATCHERS])
    tables.cells(
        f"{_WATCHERS} browsers", f"{own:.2f}", f"{own / base:.2f} x", f"{memory:.0f}", f"{cpu:.1f}"
    )
    tables.end("The browsers are connections that read: none draws anything.")


def _upgrade(place: Path, watchers: int) -> tuple[float, float, float]:
    """Return how long an upgrade takes, and the most memory and the CPU that serving it took."""
    project = ProjectFolder(place)
    names = ", ".join(f'"t{number}"' for number in range(_TARGETS))
    project.config(
        f"""
        [project]
        name = "b"
        [databases.app]
        script_location = "migrations/app"
        [environments.prod]
        url = "sqlite:///var/{{tenant}}.db"
        tenants = [{names}]
        [environments.prod.rollout]
        max_parallel = 2
        max_per_server = 2
        """
    )
    project.scripts()
    project.revision("a1", None, "op.create_table('items', sa.Column('id', sa.Integer))")
    with ExitStack() as stack:
        serving = stack.enter_context(_serving(project)) if watchers else None
        if serving is not None:
            stack.enter_context(_watching(*serving[:2], watchers))
        began = time.monotonic()
        project.run("upgrade", "--yes", timeout=900)
        seconds = time.monotonic() - began
        used = _used(serving[2]) if serving is not None else (0.0, 0.0)
    return seconds, *used


@contextmanager
def _serving(project: ProjectFolder) -> Iterator[tuple[int, str, int]]:
    """Serve the dashboard; yield its port, the cookie of somebody, and its process."""
    from orchestrator.actions import Project

    started = project.start("serve", "--port", "0")
    out = started.folder / "out"
    wait_until(lambda: "/sign-in/" in out.read_text())
    found = re.search(r"http://127.0.0.1:(\d+)/sign-in/", out.read_text())
    assert found
    with Project.load(project.folder / "environments.toml").ledger() as ledger:
        token = ledger.access.add("somebody", Role.VIEWER, "benchmark", None)
        session = ledger.access.sign_in(token, 3600)
    assert session
    try:
        yield int(found[1]), session[0], started.process.pid
    finally:
        started.interrupt()
        started.process.wait(30)


@contextmanager
def _watching(port: int, cookie: str, watchers: int) -> Iterator[None]:
    """Keep so many connections on the first run's events from when it begins, and read them."""
    command = [sys.executable, "-m", "benchmarks.dashboard", "watch"]
    process = subprocess.Popen([*command, str(port), cookie, str(watchers)])
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _watch(port: int, cookie: str, watchers: int) -> None:
    """Watch until somebody ends this process."""
    while not _is_there(port, cookie):
        time.sleep(0.05)
    waiting = selectors.DefaultSelector()
    asked = f"GET /runs/1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    asked += f"Cookie: orchestrator={cookie}\r\n\r\n"
    for _ in range(watchers):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(asked.encode())
        connection.setblocking(False)
        waiting.register(connection, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if not key.fileobj.recv(1 << 20):  # type: ignore[union-attr]
                raise SystemExit("the dashboard ended a connection")
        time.sleep(
            0.2
        )  # what comes meanwhile waits: to read it at once would cost more than it tells


def _is_there(port: int, cookie: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/runs/1/series", headers={"Cookie": f"orchestrator={cookie}"})
    status = connection.getresponse().status
    connection.close()
    return status == 200


def _used(pid: int) -> tuple[float, float]:
    """Return the most memory of a process in MB, and its CPU in seconds."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert found
    return int(found[1]) / 1024, (int(fields[11]) + int(fields[12])) / 100


def _shown(folder: Path, count: int) -> None:
    tables.begin(
        f"Pages of {count:,} targets in Chromium, while {_RATE} of them end in a second",
        "page",
        "first paint, ms",
        f"main thread in {_SECONDS} s, s",
        texts=1,
    )
    place = folder / "shown"
    place.mkdir()
    command = [sys.executable, "-m", "benchmarks.dashboard", "roll"]
    rolling = subprocess.Popen([*command, str(place), str(count)], stdout=subprocess.DEVNULL)
    project = ProjectFolder(place)
    wait_until(lambda: (place / ".orchestrator/ledger.db").exists())
    try:
        with _serving(project) as (port, cookie, _):
            for name, first, busy in _pages(port, cookie):
                tables.cells(name, f"{first:.0f}", f"{busy:.2f}")
    finally:
        rolling.kill()
        rolling.wait()
    tables.end()


def _pages(port: int, cookie: str) -> Iterator[tuple[str, float, float]]:
    """Yield of each page when it was painted first, and how busy its main thread was then."""
    from playwright.sync_api import sync_playwright

    base = f"http://127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "orchestrator", "value": cookie, "url": base}])
        pages = {"a run": "/runs/1", "the fleet": "/", "a database": "/fleet/prod/app"}
        context.new_page().goto(base)  # its tenants are read once
        for name, path in pages.items():
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Performance.enable")
            page.goto(base + path)
            page.wait_for_timeout(1500)
            first = page.evaluate("performance.getEntriesByName('first-paint')[0].startTime")
            before = _busy(session)
            page.wait_for_timeout(_SECONDS * 1000)
            yield name, first, _busy(session) - before
            page.close()
        browser.close()


def _busy(session: Any) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


class PacedEngine(SimulatedEngine):
    """Finishes so many jobs in a second."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate, self._began, self._ended = rate, time.monotonic(), 0

    def wait(self, timeout: float) -> list[Any]:
        """Return those that ended meanwhile."""
        from orchestrator.engines.base import Finished

        time.sleep(min(timeout, 0.05))
        may = round((time.monotonic() - self._began) * self._rate) - self._ended
        names = [self.given.popleft() for _ in range(min(may, len(self.given)))]
        self._ended += len(names)
        return [Finished(name, done(name)) for name in names]


def _main(arguments: Sequence[str]) -> None:
    match arguments:
        case ["watch", port, cookie, watchers]:
            _watch(int(port), cookie, int(watchers))
        case ["roll", folder, count]:
            print(json.dumps(run(Path(folder), int(count), 2, PacedEngine(_RATE))))


if __name__ == "__main__":
    _main(sys.argv[1:])
