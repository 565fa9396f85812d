"""A scheduler and a worker inside of this process: a cluster to try things out on, for a while."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from orchestrator.engines.dask_engine import NoCluster
from orchestrator.engines.dask_worker import offering, silence, without_pages
from orchestrator.engines.host import Host


@contextlib.contextmanager
def cluster_here(new_host: Callable[[], Host]) -> Iterator[str]:
    """Start a scheduler and a worker that offers a host's slots; yield the scheduler's address.

    They talk inside of this process alone: nobody else can reach them, so that they need no
    certificates, and they end with it, however it ends. Raises ``NoCluster``.
    """
    silence()
    ready: Future[tuple[str, Callable[[], object]]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_run(new_host, ready)), name="cluster here", daemon=True
    )
    thread.start()
    try:
        address, end = ready.result()
    except Exception as error:  # noqa: BLE001 - whatever Dask raises, there is none
        raise NoCluster(f"no scheduler can be started in this process: {error}") from None
    try:
        yield address
    finally:
        end()
        thread.join()


async def _run(
    new_host: Callable[[], Host], ready: Future[tuple[str, Callable[[], object]]]
) -> None:
    from distributed import Scheduler

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        async with contextlib.AsyncExitStack() as stack:
            with without_pages():
                scheduler = Scheduler(
                    protocol="inproc", dashboard=False, dashboard_address="127.0.0.1:0"
                )
                await stack.enter_async_context(scheduler)
            await stack.enter_async_context(offering(scheduler.address, new_host()))
            ready.set_result((scheduler.address, lambda: loop.call_soon_threadsafe(ended.set)))
            await ended.wait()
    except Exception as error:
        if ready.done():
            raise
        ready.set_exception(error)
