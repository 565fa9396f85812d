"""Links of a network that can be cut, fall silent or become slow, and then be whole again."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.network import HOST


class Link:
    """A port of this machine that leads to another."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self._to = to
        self._passes = asyncio.Event()
        self._passes.set()
        self._delay = 0.0
        self._refuses = False
        self._clients: set[asyncio.StreamWriter] = set()
        self._wires: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_server(self._take, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End all connections for those who made them, and refuse new ones.

        The other end hears of that only once the link is whole, as where a machine is gone.
        """
        self._refuses = True
        self._passes.clear()
        for writer in self._clients:
            writer.transport.abort()

    def silence(self) -> None:
        """Pass on nothing, and tell nobody."""
        self._passes.clear()

    def slow(self, seconds: float) -> None:
        """Take so long to pass anything on."""
        self._delay = seconds

    def mend(self) -> None:
        """Be whole again: what was held back arrives now."""
        self._refuses, self._delay = False, 0.0
        self._passes.set()

    async def close(self) -> None:
        """End everything."""
        self._server.close()
        for wire in self._wires:
            wire.cancel()
        await asyncio.gather(*self._wires, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = asyncio.current_task()
        assert wire is not None
        self._wires.add(wire)
        wire.add_done_callback(self._wires.discard)
        self._clients.add(writer)
        try:
            # Cancelled at the end of everything: nobody waits for this task.
            with suppress(OSError, asyncio.CancelledError):
                if not self._refuses:
                    await self._carry(reader, writer)
        finally:
            self._clients.discard(writer)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, their_writer = await asyncio.open_connection(HOST, self._to)
        try:
            await asyncio.gather(
                self._pass(reader, their_writer),
                self._pass(theirs, writer),
            )
        finally:
            their_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = b"so far"
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            await self._passes.wait()
            await asyncio.sleep(self._delay)
            with suppress(OSError):  # the other end is gone, which is told to this one
                writer.write(data)
                await writer.drain()
        writer.close()


@dataclass(slots=True)
class Network:
    """Links, and the thread that serves them."""

    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _links: list[Link] = field(default_factory=list)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> "Network":
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self._links:
            asyncio.run_coroutine_threadsafe(link.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def link(self, to: int) -> Link:
        """Return a new link to a port."""
        link = Link(to)
        asyncio.run_coroutine_threadsafe(link.open(), self._loop).result()
        self._links.append(link)
        return link

    def tell(self, what: Callable[[], None]) -> None:
        """Let something happen to a link."""
        self._loop.call_soon_threadsafe(what)
