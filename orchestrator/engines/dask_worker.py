"""Lets a Dask worker offer slots for an engine's jobs."""

import asyncio
import contextlib
import logging
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from orchestrator.engines.host import Host

_OFFERED = "_orchestrator_host"
_CONNECT = 10
"""Seconds in which a scheduler is to answer."""
_AGAIN = 2.0
_LOOKS_EVERY = 0.1
_THERE = frozenset({"running", "paused"})


def offer(worker: Any, host: Host) -> None:
    """Let a Dask worker of this process offer the slots of a host, until it closes.

    What is told goes to the topic that has the session's name.
    """
    setattr(worker, _OFFERED, host)
    host.start(worker.log_event)


def withdraw(worker: Any) -> None:
    """Let go of what a Dask worker offered."""
    host: Host | None = getattr(worker, _OFFERED, None)
    if host is not None:
        setattr(worker, _OFFERED, None)
        host.close()


def deliver(text: str) -> None:
    """Take a letter in: a task that is bound to the worker that the letter is for."""
    from distributed import get_worker

    host: Host | None = getattr(get_worker(), _OFFERED, None)
    if host is not None:
        host.put(text)


def tell(dask_worker: Any = None) -> str | None:
    """Tell what the worker offers, if it offers any; called by ``Client.run``."""
    host: Host | None = getattr(dask_worker, _OFFERED, None)
    return None if host is None else host.about()


async def serve(
    scheduler: str,
    new_host: Callable[[], Host],
    *,
    security: Any,
    told: Callable[[str], None],
    ended: threading.Event,
) -> None:
    """Offer slots to a scheduler until ``ended`` is set, each time that it is there.

    ``told`` takes what is to be said to people: whether it is connected. Once the connection is
    lost, what runs does what it may without asking, and ends; then another host takes its place.
    """
    from distributed import Worker

    silence()
    missing = ""
    while not ended.is_set():
        host = new_host()
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            worker = Worker(
                scheduler,
                nthreads=1,
                name=f"{host.name}-{host.id[:8]}",
                memory_limit=0,
                local_directory=folder,
                security=security,
                dashboard=False,
                death_timeout=_CONNECT,
            )
            offer(worker, host)
            try:
                await worker
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                if missing != (missing := f"{scheduler} can't be reached: {_cause(error)}"):
                    told(f"{missing}; trying again")
            else:
                missing = ""
                told(f"connected to {scheduler} as {host.name}")
                while not ended.is_set() and worker.status.name in _THERE:
                    await asyncio.sleep(_LOOKS_EVERY)
                if not ended.is_set():
                    told("the connection to the scheduler is lost; what runs ends, trying again")
            await asyncio.to_thread(withdraw, worker)
            with contextlib.suppress(Exception):  # it may be half started
                await worker.close(timeout=2)
        if not ended.is_set() and missing:
            await asyncio.sleep(_AGAIN)


def silence() -> None:
    """Let Dask log nothing: what is wrong is told by us, once."""
    for name in ("distributed", "tornado", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado"}:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
