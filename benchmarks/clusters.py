"""Jobs on a Dask cluster beside the processes of this machine: what each job costs more."""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks import tables
from benchmarks.cluster_fleet import SLOTS, WORKERS
from benchmarks.cluster_memory import memory
from benchmarks.clustered import from_afar, upgrades
from benchmarks.distance import distance
from orchestrator.engines.base import Engine, Finished, Message
from orchestrator.engines.local import LocalEngine
from tests.engines.cluster import Cluster, new_cluster
from tests.engines.dask_jobs import jobs_program, on_cluster
from tests.engines.jobs import is_final, serve
from tests.project_folder import wait_until

_QUESTIONS = 40


def clusters(folder: Path, options: argparse.Namespace) -> None:
    """What a job, a fleet, distance and memory take, of the parts that are asked for."""
    parts = {"jobs": _jobs, "upgrade": upgrades, "afar": from_afar, "memory": memory}
    chosen = options.cluster.split(",")
    if unknown := set(chosen) - set(parts):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    for part in chosen:
        parts[part](folder / part, options)


def _jobs(folder: Path, options: argparse.Namespace) -> None:
    """So many jobs that do nothing, and so many that ask once, on the same number of processes."""
    title = f"{options.jobs:,} jobs on {WORKERS * SLOTS} processes"
    tables.begin(title, "jobs", "where", "seconds", "ms per job", "against this machine", texts=2)
    with ExitStack() as stack:
        cluster = stack.enter_context(new_cluster(folder / "cluster"))
        for number in range(WORKERS):
            cluster.start_worker(jobs_program(cluster, str(number), SLOTS))
        wait_until(lambda: cluster.said().count("connected to") == WORKERS)
        for label, deed, ask in (
            ("do nothing", ("talk", 0), False),
            ("ask once, and wait for the answer", ("ask", 1), True),
        ):
            _compare(label, deed, cluster, options, ask=ask)
        tables.end(
            f"On the cluster there are {WORKERS} workers of {SLOTS} slots; scheduler and workers "
            "are on this machine, with TLS."
        )
        _questions(cluster, options)


def _questions(cluster: Cluster, options: argparse.Namespace) -> None:
    """What a worker's question and its answer take, the driver some time away."""
    title = "A question before a commit, from a worker to the run and back"
    tables.begin(title, "round trip", "ms", "round trips", texts=1)
    port = int(cluster.address.rpartition(":")[2])
    for away in (float(ms) / 1000 for ms in options.distances.split(",")):
        with distance(port, away) as network:
            there = replace(cluster, address=f"tls://127.0.0.1:{network.port}")
            with on_cluster(there) as engine:
                _run(engine, ("talk", 0), WORKERS * SLOTS, ask=False)
                silent = median(_one(engine, ("talk", 1)) for _ in range(_QUESTIONS))
                asked = median(_one(engine, ("ask", 1)) for _ in range(_QUESTIONS))
        cost = asked - silent
        tables.cells(
            f"{away * 1000:g} ms", f"{cost * 1000:.1f}", f"{cost / away:.1f}" if away else ""
        )
    tables.end(f"Medians of {_QUESTIONS} jobs that ask, less those that only talk, one at a time.")


def _one(engine: Engine, deed: tuple[str, int]) -> float:
    return _run(engine, deed, 1, ask=deed[0] == "ask")


def _compare(
    label: str,
    deed: tuple[str, int],
    cluster: Cluster,
    options: argparse.Namespace,
    *,
    ask: bool,
) -> None:
    def local() -> Engine:
        return LocalEngine(serve, ("hello",), size=WORKERS * SLOTS, is_final=is_final)

    seconds: dict[str, list[float]] = {"this machine": [], "a Dask cluster": []}
    makers: tuple[Callable[[], Engine], ...] = (local, lambda: on_cluster(cluster))
    for _ in range(options.rounds):
        for name, make in zip(seconds, makers, strict=True):
            with make() as engine:
                _run(engine, deed, WORKERS * SLOTS * 4, ask=ask)  # its processes are there then
                seconds[name].append(_run(engine, deed, options.jobs, ask=ask))
    base = median(seconds["this machine"])
    for name, took in seconds.items():
        it = median(took)
        each = f"{1000 * it / options.jobs:.2f}"
        tables.cells(label, name, f"{it:.2f}", each, f"{it / base:.2f} x")


def _run(engine: Engine, deed: tuple[str, int], jobs: int, *, ask: bool) -> float:
    began = time.monotonic()
    left, ended = jobs, 0
    while ended < jobs:
        while left and engine.room(None) > 0:
            engine.submit(f"job {left}", deed, 60, kind="")
            left -= 1
        for event in engine.wait(5):
            ended += isinstance(event, Finished)
            if ask and isinstance(event, Message):
                engine.answer(event.key, "go")
    return time.monotonic() - began
