"""A fleet that is upgraded by processes of this machine, and by workers that have a copy of it."""

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import contenders
from benchmarks.counted import sampled
from benchmarks.distance import Count, Distance
from benchmarks.places import Databases, tenants
from benchmarks.subject import Subject
from benchmarks.tables import preparing
from benchmarks.upgrading import private
from tests.engines.cluster import Cluster, new_cluster
from tests.project_folder import wait_until
from tests.servers import MariaDBServer

WORKERS, SLOTS = 4, 2
HERE, THERE = "processes of this machine", "a Dask cluster"
_SCHEDULER = "BENCHMARK_SCHEDULER"


@dataclass
class Runs:
    """The runs of one way, round by round; what went through the network in the last of them."""

    seconds: list[float] = field(default_factory=list)
    made: list[tuple[int, int, int]] = field(default_factory=list)
    count: Count | None = None


@dataclass(frozen=True)
class Fleet:
    """Databases of one server, a project of them, and a cluster whose workers have a copy of it."""

    place: Databases
    folder: Path
    count: int
    options: argparse.Namespace
    cluster: Cluster

    def here(self, reached: Databases) -> float:
        """Upgrade by processes of this machine, the server reached as ``reached``."""
        return contenders.orchestrator(self._new("here", reached))

    def there(self, address: str) -> float:
        """Upgrade by the workers, the scheduler reached at an address."""
        return contenders.orchestrator(self.declared("there"), more={_SCHEDULER: address})

    @property
    def urls(self) -> list[str]:
        """Where the databases are, without any network."""
        return [self.place.server.url(tenant) for tenant in tenants(self.count)]

    def declared(self, name: str) -> Subject:
        """Write the project anew, with its cluster."""
        subject = self._new(name, self.place)
        of = self.cluster.certificates
        files = {"ca": of.ca, "cert": of.cert, "key": of.key}
        security = ", ".join(f"{what} = {json.dumps(str(file))}" for what, file in files.items())
        engine = (
            f'kind = "dask"\nscheduler = "${{env:{_SCHEDULER}}}"\nsecurity = {{ {security} }}\n'
        )
        with (subject.folder / "environments.toml").open("a") as file:
            file.write(f"\n[engine]\n{engine}")
        return subject

    def _new(self, name: str, place: Databases) -> Subject:
        return place.write(self.folder / name, self.count, self.options)


def compare(
    fleet: Fleet, ways: Mapping[str, Callable[[], float]], networks: Mapping[str, Distance]
) -> Mapping[str, tuple[Count | None, str, str, str, str]]:
    """Run all ways in turns; return what went through each one's network, and its cells.

    Raises ``RuntimeError`` unless they make the same tables.
    """
    runs = {way: Runs() for way in ways}
    for _ in range(fleet.options.rounds):
        for way, run in ways.items():
            with preparing(f"{fleet.count} empty databases"):
                fleet.place.clear(fleet.count)
            before = networks[way].count() if networks else None
            runs[way].seconds.append(run())
            if before:
                runs[way].count = networks[way].count().since(before)
            runs[way].made = sampled(fleet.urls)
    if len({tuple(found.made) for found in runs.values()}) > 1 or not all(runs[HERE].made):
        raise RuntimeError(f"not the same tables afterwards: {runs}")
    base = median(runs[HERE].seconds)
    return {way: (found.count, *_cells(found, base, fleet.count)) for way, found in runs.items()}


def _cells(found: Runs, base: float, count: int) -> tuple[str, str, str, str]:
    took = median(found.seconds)
    return f"{count:,}", f"{took:.2f}", f"{took / count * 1000:.1f}", f"{took / base:.2f} x"


@contextmanager
def fleet_of(folder: Path, count: int, options: argparse.Namespace) -> Iterator[Fleet]:
    """Start a server and a cluster with its workers; all that is timed has as many at once."""
    settled = argparse.Namespace(**{**vars(options), "parallel": WORKERS * SLOTS})
    with private(MariaDBServer()) as server, new_cluster(folder / "cluster") as cluster:
        fleet = Fleet(Databases("MariaDB", server), folder / "project", count, settled, cluster)
        copy = fleet.declared("workers").folder
        for number in range(WORKERS):
            command = [str(contenders.BIN / "orchestrator"), "worker", "--slots", str(SLOTS)]
            named = [*command, "--name", f"worker-{number}", "--scheduler", cluster.address]
            cluster.start_worker(named, cwd=copy)
        wait_until(lambda: cluster.said().count("connected to") == WORKERS, 120)
        yield fleet
    shutil.rmtree(folder / "project")
