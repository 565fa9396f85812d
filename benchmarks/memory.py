"""How much memory a command and all that it starts have at most, seen by looking now and then."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic

LOOKS_EVERY = 0.1
"""Seconds. A look takes about a millisecond for each process."""


@dataclass
class Peak:
    """The most resident memory that was seen, in MB; pages that processes share count in each."""

    command: float = 0.0
    together: float = 0.0
    processes: int = 0

    def look(self, pid: int) -> None:
        """Look at a command, and at all processes below it."""
        found = [resident(process) for process in _family(pid)]
        if found:
            self.include(Peak(found[0], sum(found), len(found)))

    def include(self, other: "Peak") -> None:
        """Take the most of both."""
        self.command = max(self.command, other.command)
        self.together = max(self.together, other.together)
        self.processes = max(self.processes, other.processes)


def watched(command: list[str], folder: Path) -> tuple[float, Peak]:
    """Run a command; return its seconds and its memory. Raises ``RuntimeError`` if it fails."""
    with tempfile.TemporaryFile() as output:
        began = monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        peak, ended = Peak(), Event()
        thread = Thread(target=_look, args=(process.pid, peak, ended))
        thread.start()
        status = process.wait()
        seconds = monotonic() - began
        ended.set()
        thread.join()
        if status:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed:\n{output.read().decode()[-3000:]}")
    return seconds, peak


def _look(pid: int, peak: Peak, ended: Event) -> None:
    while not ended.wait(LOOKS_EVERY):
        peak.look(pid)


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all below it, without those that have just ended."""
    yield pid
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))
    except OSError:
        return


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB; 0 where it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
