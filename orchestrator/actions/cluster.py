"""``worker`` and ``workers``: what offers slots to a cluster, and who is there."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.config.engine import LOCAL
from orchestrator.config.load import ConfigFile
from orchestrator.config.secrets import Secrets
from orchestrator.config.template import parse
from orchestrator.dispatch.cluster import (
    assert_installed,
    assert_protected,
    cluster,
    security,
    service,
)
from orchestrator.errors import UsageError


@dataclass(frozen=True, slots=True)
class ClusterWorker:
    """One that offers slots."""

    name: str
    place: str | None
    slots: int
    busy: int
    stale: tuple[str, ...]
    """What it has another version of than this machine."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Who is there."""

    scheduler: str
    """As the file names it."""
    dashboard: str | None
    """Where Dask's own page is; ``None`` where the cluster is one of this command alone."""
    workers: tuple[ClusterWorker, ...]


def workers(file: ConfigFile, secrets: Secrets) -> ClusterView:
    """Ask a project's cluster who is there. Raises ``UsageError`` where the file names none, and
    ``Refused`` where it can't be reached."""
    if file.config.engine.kind != "dask":
        raise UsageError(
            "jobs run on this machine: [engine] names no cluster\n"
            '  add [engine] kind = "dask", scheduler = "…" to use one'
        )
    with cluster(file, secrets) as engine:
        found = tuple(
            ClusterWorker(
                about.name,
                about.place,
                about.slots,
                about.busy,
                tuple(engine.stale(about)),
            )
            for about in engine.hosts
        )
        return ClusterView(engine.scheduler, engine.dashboard, found)


def work(
    file: ConfigFile,
    secrets: Secrets,
    *,
    scheduler: str | None,
    place: str | None,
    slots: int | None,
    name: str | None,
    told: Callable[[str], None],
) -> None:
    """Offer slots until SIGINT or SIGTERM comes. What runs then does what it may, and ends."""
    assert_installed()
    from orchestrator.engines.dask_worker import serve
    from orchestrator.engines.host import Host, default_slots

    settings = file.config.engine
    address = scheduler or settings.scheduler
    if address is None:
        raise UsageError(
            "which scheduler? pass --scheduler tls://host:8786, or name it in [engine]"
        )
    shown, address = address, parse(address).resolve(secrets.value)
    if address == LOCAL:
        raise UsageError(
            'scheduler = "local" has no other workers than that of each command\n'
            "  pass --scheduler tls://host:8786 to join one that is there"
        )
    assert_protected(address, settings)
    own = name or socket.gethostname()
    runs = service(file, own)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    serving = serve(
        address,
        lambda: Host(runs, own, place, slots or default_slots()),
        security=security(settings.security, file.folder, secrets),
        told=lambda text: told(text.replace(address, shown)),  # it may be a secret
        ended=ended,
    )
    asyncio.run(serving)
