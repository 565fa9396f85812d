"""On a real terminal: the live view, the question, and a clean screen after Ctrl-C."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A command on a terminal of its own, which can type and read."""

    def __init__(self, project: ProjectFolder, *arguments: str) -> None:
        self.handle, inside = pty.openpty()
        program = str(Path(sys.executable).with_name("orchestrator"))
        environ = {**os.environ, **project.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", program, *arguments],
            cwd=project.folder,
            env=environ,
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        self.screen = ""

    def until(self, words: str, seconds: float = 60) -> None:
        """Read until ``words`` were shown."""
        deadline = time.monotonic() + seconds
        while words not in self.screen:
            assert time.monotonic() < deadline, self.screen
            self._read()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.handle, keys.encode())

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        return self.process.wait(60)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.handle], [], [], 1)
        if not ready:
            return self.process.poll() is None
        try:
            data = os.read(self.handle, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def fleet(new_fleet) -> Iterator[Fleet]:
    fleet = new_fleet("sqlite")
    fleet.declare(6, max_parallel=2)
    started = fleet.project.folder / "started"
    fleet.project.revision(
        "a1", None, f"{CREATE}\nopen({str(started)!r}, 'w').close()\ntime.sleep(1.5)"
    )
    return fleet


def test_the_live_view_shows_progress_and_is_gone_afterwards(fleet: Fleet):
    terminal = Terminal(fleet.project, "upgrade")
    terminal.until("/6")

    assert terminal.end() == 0
    assert "6 done" in terminal.screen
    assert terminal.screen.rindex(SHOW_CURSOR) > terminal.screen.rindex(HIDE_CURSOR)


def test_ctrl_c_leaves_the_terminal_clean(fleet: Fleet):
    terminal = Terminal(fleet.project, "upgrade")
    terminal.until("/6")
    started = fleet.project.folder / "started"
    while not started.exists():
        time.sleep(0.05)

    terminal.type("\x03")

    assert terminal.end() == 130
    assert "nothing more starts" in terminal.screen
    assert "Traceback" not in terminal.screen
    assert terminal.screen.rindex(SHOW_CURSOR) > terminal.screen.rindex(HIDE_CURSOR)


@pytest.mark.parametrize(("answer", "code"), [("n\r", 5), ("y\r", 0)])
def test_a_protected_environment_asks_first(fleet: Fleet, answer: str, code: int):
    path = fleet.project.folder / "environments.toml"
    url = next(line for line in path.read_text().splitlines() if line.startswith("url ="))
    path.write_text(path.read_text().replace(url, f"{url}\nprotected = true"))
    terminal = Terminal(fleet.project, "upgrade")
    terminal.until("protected")

    terminal.type(answer)

    assert terminal.end() == code, terminal.screen
    assert (fleet.project.folder / "var").exists() == (code == 0)
