"""A network in a process of its own, which has nothing to do but to pass on and to count.

``python -m benchmarks.distance PORT SECONDS`` prints its port, and what it counted for each line
that it reads.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from tests.network import network


@dataclass(frozen=True)
class Count:
    """What went through a network since it is there."""

    connections: int
    round_trips: int
    busy: float
    """Seconds of CPU that the network took itself."""

    def since(self, earlier: "Count") -> "Count":
        """Return what came after ``earlier``."""
        return Count(
            self.connections - earlier.connections,
            self.round_trips - earlier.round_trips,
            self.busy - earlier.busy,
        )


@dataclass(frozen=True)
class Distance:
    """A port that leads to another, some time away."""

    port: int
    _asking: IO[str]
    _answers: IO[str]

    def count(self) -> Count:
        """Return what went through so far."""
        self._asking.write("\n")
        self._asking.flush()
        return Count(**json.loads(self._answers.readline()))


@contextmanager
def distance(port: int, round_trip: float) -> Iterator[Distance]:
    """Put ``round_trip`` seconds before a port of this machine."""
    command = [sys.executable, "-m", "benchmarks.distance", str(port), str(round_trip)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield Distance(int(process.stdout.readline()), process.stdin, process.stdout)
        # Popen closes the pipes, which ends the process, and waits for it.


def _serve(port: int, round_trip: float) -> None:
    with network(port, round_trip) as (here, traffic):
        print(here, flush=True)
        for _ in sys.stdin:
            count = Count(len(traffic.connections), traffic.round_trips, time.process_time())
            print(json.dumps(count.__dict__), flush=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), float(sys.argv[2]))
