"""A worker program for the engine's contract: slots that run the jobs of ``tests.engines.jobs``."""

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Any

from orchestrator.engines.dask_engine import DaskEngine
from orchestrator.engines.dask_worker import serve as offer_slots
from orchestrator.engines.host import Host
from orchestrator.engines.wire import Service
from tests.engines.cluster import Certificates, Cluster
from tests.engines.jobs import UNREADABLE, is_final, serve


def pack(content: Any) -> str:
    try:
        return json.dumps(content)
    except TypeError as error:
        raise ValueError(str(error)) from None


def unpack(text: str) -> Any:
    found = _tuples(json.loads(text))
    if found == UNREADABLE:
        raise ValueError("nobody can read it")
    return found


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


SERVICE = Service(serve, ("hello",), is_final, pack, unpack)


def jobs_program(cluster: Cluster, place: str, slots: int = 1) -> list[str]:
    """Return the command line of a worker of a place."""
    of = cluster.certificates
    files = [str(of.ca), str(of.cert), str(of.key)]
    return [sys.executable, "-m", __name__, cluster.address, str(slots), place, *files]


def on_cluster(cluster: Cluster, patience: float = 60) -> DaskEngine:
    """Return an engine of what is there."""
    security = cluster.certificates.security
    return DaskEngine(cluster.address, SERVICE, security=security, patience=patience)


def main(address: str, slots: str, place: str, ca: str, cert: str, key: str) -> None:
    serving = offer_slots(
        address,
        lambda: Host(SERVICE, f"{place}-host", place or None, int(slots)),
        security=Certificates(Path(ca), Path(cert), Path(key)).security,
        told=lambda text: print(text, flush=True),
        ended=threading.Event(),
    )
    asyncio.run(serving)


if __name__ == "__main__":
    main(*sys.argv[1:])
