"""How much memory a run over very many targets takes on a cluster: who drives, and the scheduler.

The targets are simulated: workers answer each job at once. All else is real: scheduler, workers and
what they say to each other, the state machine, the loop, a SQLite ledger on disk, the live view.

``python -m benchmarks.cluster_memory worker|drive …`` is one of its processes.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from benchmarks import rolling, tables
from benchmarks.cluster_fleet import SLOTS, WORKERS
from benchmarks.memory import resident
from orchestrator.engines.wire import Service
from tests.engines.cluster import Certificates, Cluster, new_cluster
from tests.project_folder import wait_until


def memory(folder: Path, options: argparse.Namespace) -> None:
    """Print the memory of driver and scheduler, for fleets of several sizes."""
    title = f"Runs over simulated targets on a Dask cluster, {WORKERS * SLOTS} at once"
    driver = ("driver before, MB", "at most, MB")
    scheduler = ("scheduler before, MB", "at most, MB", "afterwards, MB")
    tables.begin(title, "targets", "ms per target", *driver, *scheduler, texts=0)
    for number in range(options.rounds):
        for count in (int(count) for count in options.cluster_simulated.split(",")):
            _measure(folder / f"{count}-{number}", count)
    tables.end(
        "A cluster of its own each time. “Before” is connected, with nothing done; resident memory."
    )


def _measure(folder: Path, count: int) -> None:
    with new_cluster(folder / "cluster") as cluster:
        for number in range(WORKERS):
            cluster.start_worker(_program("worker", cluster, f"worker-{number}"))
        wait_until(lambda: cluster.said().count("connected to") == WORKERS)
        (folder / "project").mkdir()
        scheduler = cluster.scheduler.pid
        before = resident(scheduler)
        command = _program("drive", cluster, str(folder / "project"), str(count))
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        most, after = _most(scheduler), resident(scheduler)
    numbers = (found["before"], found["mb"], before, most, after)
    tables.cells(f"{count:,}", f"{found['ms']:.2f}", *(f"{number:.0f}" for number in numbers))


def _program(part: str, cluster: Cluster, *arguments: str) -> list[str]:
    of = cluster.certificates
    files = [str(of.ca), str(of.cert), str(of.key)]
    # Not as __main__, which the worker's processes could not import.
    program = f"import sys; from {__name__} import main; main(*sys.argv[1:])"
    return [sys.executable, "-c", program, part, cluster.address, *files, *arguments]


def _most(pid: int) -> float:
    """Return the most resident memory that a process has had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def simulate(pipe: Any) -> None:
    """Answer each job at once: what a worker's process runs here."""
    from orchestrator.worker.serve import target_name

    with contextlib.suppress(EOFError):
        while True:
            pipe.send(rolling.done(target_name(pipe.recv())))


def _service() -> Service:
    from orchestrator.rollout.outcomes import Outcome
    from orchestrator.worker.contents import pack, unpack

    imports = (__name__, "orchestrator.worker.serve")
    return Service(
        simulate, (), lambda content: isinstance(content, Outcome), pack, unpack, imports
    )


def _work(address: str, certificates: Certificates, name: str) -> None:
    from orchestrator.engines.dask_worker import serve
    from orchestrator.engines.host import Host

    serving = serve(
        address,
        lambda: Host(_service(), name, None, SLOTS),
        security=certificates.security,
        told=lambda text: print(text, flush=True),
        ended=threading.Event(),
    )
    asyncio.run(serving)


def _drive(address: str, certificates: Certificates, folder: str, count: str) -> None:
    from orchestrator.engines.dask_engine import DaskEngine

    with DaskEngine(address, _service(), security=certificates.security) as engine:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = rolling.run(Path(folder), int(count), 1, engine)
    print(json.dumps({**found, "before": before}))


def main(part: str, address: str, ca: str, cert: str, key: str, *arguments: str) -> None:
    """Be one of the processes."""
    certificates = Certificates(Path(ca), Path(cert), Path(key))
    {"worker": _work, "drive": _drive}[part](address, certificates, *arguments)
