"""Lets a Dask worker offer slots for an engine's jobs.

All connections are the worker's own, to the scheduler: letters come to it as tasks, and what it
says goes out as events. Nobody has to reach it.
"""

import asyncio
import contextlib
import logging
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

from orchestrator.engines import wire
from orchestrator.engines.host import Host

_OFFERED = "_orchestrator_host"
_CONNECT = 10
"""Seconds in which a scheduler is to answer."""
_AGAIN = 2.0
_LOOKS_EVERY = 0.1
_THERE = frozenset({"running", "paused"})
_LOOPBACK = "127.0.0.1"


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


def introduce(session: str, address: str) -> None:
    """Tell an engine what the worker offers: a task that is bound to the one at ``address``."""
    from distributed import get_worker

    worker = get_worker()
    host: Host | None = getattr(worker, _OFFERED, None)
    about = None if host is None else host.about()
    worker.log_event(session, wire.packed(wire.Introduction(address, about)))


@contextlib.asynccontextmanager
async def offering(scheduler: str, host: Host, *, security: Any = None) -> AsyncIterator[Any]:
    """Connect a worker that offers the slots of a host.

    When it is left, what runs does what it may without asking, and ends.
    """
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        with without_pages():
            worker = _new(scheduler, host, folder, security)
        offer(worker, host)
        try:
            with without_pages():
                await worker
            yield worker
        finally:
            await asyncio.to_thread(withdraw, worker)
            with contextlib.suppress(Exception):  # it may be half started
                await worker.close(timeout=2)


def _new(scheduler: str, host: Host, folder: str, security: Any) -> Any:
    from distributed import Worker

    # Dask's workers listen even though nobody connects; without certificates, anybody could.
    on_loopback = security is None and not scheduler.startswith("inproc:")
    return Worker(
        scheduler,
        nthreads=1,
        name=f"{host.name}-{host.id[:8]}",
        memory_limit=0,
        local_directory=folder,
        security=security,
        host=_LOOPBACK if on_loopback else None,
        dashboard=False,
        dashboard_address=f"{_LOOPBACK}:0",
        death_timeout=_CONNECT,
    )


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
    silence()
    missing = ""
    while not ended.is_set():
        host = new_host()
        async with contextlib.AsyncExitStack() as stack:
            try:
                worker = await stack.enter_async_context(
                    offering(scheduler, host, security=security)
                )
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
        if not ended.is_set() and missing:
            await asyncio.sleep(_AGAIN)


def silence() -> None:
    """Let Dask log nothing and warn of nothing: what is wrong is told by us, once."""
    warnings.filterwarnings("ignore", module=r"distributed(\.|$)")
    for name in ("distributed", "tornado", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado"}:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextlib.contextmanager
def without_pages() -> Any:
    """Let what is started inside serve no pages over HTTP: they are open to whoever can reach them,
    and some of them change things."""
    import dask

    routes = ("distributed.scheduler.http.routes", "distributed.worker.http.routes")
    with dask.config.set({key: [] for key in routes}):
        yield


def _cause(error: BaseException) -> str:
    """Return the first thing that was wrong, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(error).strip().splitlines()
    return said[0] if said else f"no answer within {_CONNECT} s (do its certificates fit ours?)"
