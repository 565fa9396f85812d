"""Lets a ``dask worker`` of anybody's making work for runs: ``--preload`` takes this module.

In the project's folder, and without a nanny, as migrations run in processes of the worker:
``dask worker … --no-nanny --preload orchestrator.dispatch.dask_preload --place eu --slots 8``.
"""

import contextlib
import socket
from pathlib import Path
from typing import Any

import click

from orchestrator.config.load import load
from orchestrator.dispatch.cluster import service
from orchestrator.engines.dask_worker import offer, withdraw
from orchestrator.engines.host import Host, default_slots


@click.command()
@click.option("--place", default=None)
@click.option("--slots", type=click.IntRange(min=1), default=default_slots())
@click.option("--config", type=click.Path(path_type=Path), default=None)
async def dask_setup(worker: Any, place: str | None, slots: int, config: Path | None) -> None:
    """Offer slots as long as the worker is there, once its scheduler is there."""
    name = socket.gethostname()
    host = Host(service(load(config), name), name, place, slots)
    while True:
        with contextlib.suppress(OSError):
            await offer(worker, host)
            return


async def dask_teardown(worker: Any) -> None:
    """Let go of what runs: it does what it may without asking, and ends."""
    await withdraw(worker)
