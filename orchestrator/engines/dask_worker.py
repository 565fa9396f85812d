"""Lets a Dask worker offer slots for an engine's jobs.

All connections are the worker's own, to the scheduler: letters come to it as events of a topic, and
what it says goes out so. Nobody has to reach it.
"""

import asyncio
import contextlib
import copy
import logging
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engines import wire
from orchestrator.engines.host import Host
from orchestrator.engines.wire import NotOurs

_OFFERED = "_orchestrator_offer"
_CONNECT = 10
"""Seconds in which a scheduler is to answer."""
_FAREWELL = 2
_AGAIN = 2.0
_LOOKS_EVERY = 0.1
_THERE = frozenset({"running", "paused"})
_LOOPBACK = "127.0.0.1"
EVERYBODY = "orchestrator"
"""The topic that all engines and all hosts of a scheduler hear."""
_ANYBODY = "anybody?"
_ECHO = 0.1
"""Seconds after which somebody who does not hear itself says it again."""

Heard = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a Dask worker of this process offers, and the client that hears what is said to it."""

    host: Host
    client: Any
    connection: Any


async def offer(worker: Any, host: Host) -> None:
    """Let a Dask worker of this process offer the slots of a host, until it closes.

    It says so to everybody, and whenever somebody asks. Raises ``OSError`` where the scheduler does
    not answer.
    """
    client = await new_client(
        worker.scheduler.address,
        asynchronous=True,
        security=_of_client(worker.security),
        timeout=_CONNECT,
        name="orchestrator-worker",
    )

    def introduce(topic: str) -> None:
        about = host.about()
        worker.log_event(topic, [wire.packed(wire.Introduction(worker.address, about))])

    def asked(said: Any) -> None:
        # Not before it hears letters. Then it tells everybody, and so who asked too early.
        for text in _texts(said) if getattr(worker, _OFFERED, None) is not None else ():
            with contextlib.suppress(NotOurs):
                introduce(wire.roll_call(text).session)

    def heard(said: Any) -> None:
        for text in _texts(said):
            with contextlib.suppress(NotOurs):
                host.put(text)

    try:
        connection = await listen(client, heard, asked)
    except BaseException:
        await leave(client)
        raise
    host.start(worker.log_event, client.id)
    offered = _Offer(host, client, connection)
    setattr(worker, _OFFERED, offered)
    worker.loop.add_callback(_watch, worker, offered)
    introduce(EVERYBODY)


def _texts(said: Any) -> Sequence[Any]:
    """Return the texts of an event. Dask tells things in topics of its own, too."""
    return said if isinstance(said, list | tuple) else ()


def _of_client(security: Any) -> Any:
    """Let a worker's certificate be its client's, too."""
    of = copy.copy(security)
    of.tls_client_cert, of.tls_client_key = security.tls_worker_cert, security.tls_worker_key
    return of


async def _watch(worker: Any, offered: _Offer) -> None:
    """Close a worker that may have missed letters, as if its own connection were lost."""
    while is_connected(offered.client, offered.connection):
        await asyncio.sleep(_LOOKS_EVERY)
    if getattr(worker, _OFFERED, None) is offered:
        worker.loop.add_callback(worker.close)


async def withdraw(worker: Any) -> None:
    """Let go of what a Dask worker offered."""
    offered: _Offer | None = getattr(worker, _OFFERED, None)
    if offered is not None:
        setattr(worker, _OFFERED, None)
        await asyncio.to_thread(offered.host.close)
        await leave(offered.client)


def new_client(scheduler: str, **options: Any) -> Any:
    """Return a client of Dask that is not the default one."""
    from distributed import Client

    class ClosedOnce(Client):
        def __del__(self) -> None:
            """Where the scheduler is out of reach, Dask's own tries to close it once more: for
            20 s, and with a traceback."""

    return ClosedOnce(scheduler, set_as_default=False, **options)  # type: ignore[no-untyped-call]


async def listen(client: Any, heard: Heard, everybody: Heard) -> Any:
    """Hear what is said to a client of Dask in the topic of its name, and to everybody: all, once
    this returned.

    Returns the connection through which it hears. Dask forgets what was said in that topic an hour
    after the client left.
    """
    there = asyncio.Event()

    def hear(event: tuple[float, Any]) -> None:
        if event[1] == _ANYBODY:
            there.set()
        else:
            heard(event[1])

    client.subscribe_topic(EVERYBODY, lambda event: everybody(event[1]))
    client.subscribe_topic(client.id, hear)
    while not there.is_set():
        await client.log_event(client.id, _ANYBODY)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(there.wait(), _ECHO)
    return client.scheduler_comm


async def leave(client: Any) -> None:
    """Close a client that listens."""
    with contextlib.suppress(Exception):  # the scheduler may be gone
        # Or the scheduler would tell us that we left, and log that it can't.
        client.unsubscribe_topic(client.id)
        client.unsubscribe_topic(EVERYBODY)
        await client.close(timeout=_FAREWELL)


def is_connected(client: Any, connection: Any) -> bool:
    """Tell whether a client still has the connection that it had; it makes new ones by itself, and
    has missed what was said meanwhile."""
    return client.status == "running" and client.scheduler_comm is connection


@contextlib.asynccontextmanager
async def offering(scheduler: str, host: Host, *, security: Any = None) -> AsyncIterator[Any]:
    """Connect a worker that offers the slots of a host.

    When it is left, what runs does what it may without asking, and ends.
    """
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        with without_pages():
            worker = _new(scheduler, host, folder, security)
        try:
            with without_pages():
                await worker
            await offer(worker, host)
            yield worker
        finally:
            await withdraw(worker)
            host.close()
            with contextlib.suppress(Exception):  # it may be half started
                await worker.close(timeout=_FAREWELL)


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
    logging.getLogger("asyncio").addFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Whether asyncio tells of more than a wait of Dask's that nobody came back to: it leaves one
    behind where a connection is closed while it waits to send."""
    error = record.exc_info[1] if record.exc_info else None
    left = isinstance(error, TimeoutError) and error.args == ("Timeout",)
    return not (left and "never retrieved" in record.getMessage())


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
