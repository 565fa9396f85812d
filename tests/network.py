"""A network between us and a server: it delays what it passes on, and counts the round trips."""

import asyncio
import selectors
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"

_Told = Callable[[bytes], None]
_Due = tuple[float, bytes]
"""When something arrives, and what: nothing is the end."""


@dataclass
class Traffic:
    """What went through: of each connection the round trips, and what was said in each.

    Nothing is said in the first, which is connecting, nor in the next one where the server greets.
    What got no answer, such as a farewell, is none.
    """

    connections: list[list[bytes]] = field(default_factory=list)

    @property
    def round_trips(self) -> int:
        """How often somebody waited for the server and heard of it, connecting included."""
        return sum(map(len, self.connections))


@contextmanager
def network(port: int, round_trip: float = 0.0) -> Iterator[tuple[int, Traffic]]:
    """Give a port of this machine that leads to another, ``round_trip`` seconds away.

    What is said without having waited for an answer belongs to one round trip. At the end all
    connections are cut.
    """
    # epoll() waits for whole milliseconds, which would double a round trip of one.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    wires = _Wires(port, round_trip)
    try:
        here = asyncio.run_coroutine_threadsafe(wires.open(), loop).result()
        try:
            yield here, wires.traffic
        finally:
            asyncio.run_coroutine_threadsafe(wires.cut(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Wires:
    """The connections that there are, and the socket that takes new ones."""

    def __init__(self, port: int, round_trip: float) -> None:
        self.traffic = Traffic()
        self._port, self._round_trip = port, round_trip
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        self._listening = socket.create_server((HOST, 0))
        self._listening.setblocking(False)
        # Not by start_server(), which may have taken a connection that nobody knows of yet when
        # all are to be cut.
        asyncio.get_running_loop().add_reader(self._listening, self._accept)
        port: int = self._listening.getsockname()[1]
        return port

    async def cut(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            taken, _ = self._listening.accept()
        except OSError:  # it went away meanwhile
            return
        # asyncio does it for sockets that it has made itself.
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        trips: list[bytes] = []
        self.traffic.connections.append(trips)
        wire = _Wire(_Counter(trips), self._round_trip / 2)
        task = asyncio.get_running_loop().create_task(wire.carry(taken, self._port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: taken.close())  # a task may be cancelled before it starts


class _Counter:
    """Tells from what passes on one connection which round trips there were."""

    def __init__(self, trips: list[bytes]) -> None:
        trips.append(b"")  # connecting
        self._trips = trips
        self._said: bytes | None = b""
        """What has not been answered yet; not ``None`` at first, where the server may greet."""

    def asked(self, data: bytes) -> None:
        self._said = (self._said or b"") + data

    def answered(self, _: bytes) -> None:
        if self._said is not None:
            self._trips.append(self._said)
            self._said = None


class _Wire:
    """One connection, each way ``delay`` seconds long."""

    def __init__(self, counter: _Counter, delay: float) -> None:
        self._counter, self._delay = counter, delay
        self._to_server: asyncio.Queue[_Due] = asyncio.Queue()
        self._to_client: asyncio.Queue[_Due] = asyncio.Queue()

    async def carry(self, taken: socket.socket, port: int) -> None:
        """Pass on what both say until both have ended."""
        reader, writer = await asyncio.open_connection(sock=taken)
        async with _closed(writer):
            # The client's own system answered it at once: what it says now, it would have said a
            # round trip later, and the last message of connecting takes another half of one.
            await asyncio.sleep(2 * self._delay)
            hearing = asyncio.create_task(self._hear(reader, self._to_server, self._counter.asked))
            try:
                await asyncio.sleep(self._delay)
                await self._talk(writer, port)
            finally:
                hearing.cancel()

    async def _talk(self, writer: asyncio.StreamWriter, port: int) -> None:
        try:
            their_reader, their_writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return
        async with _closed(their_writer):
            await asyncio.gather(
                self._say(self._to_server, their_writer),
                self._hear(their_reader, self._to_client),
                self._say(self._to_client, writer, self._counter.answered),
            )

    async def _hear(
        self, reader: asyncio.StreamReader, queue: asyncio.Queue[_Due], told: _Told | None = None
    ) -> None:
        loop, data = asyncio.get_running_loop(), b"so far"
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            if data and told:
                told(data)
            queue.put_nowait((loop.time() + self._delay, data))

    async def _say(
        self, queue: asyncio.Queue[_Due], writer: asyncio.StreamWriter, told: _Told | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            if (delay := due - loop.time()) > 0:
                await asyncio.sleep(delay)
            if not data or writer.is_closing():
                break
            if told:
                told(data)
            writer.write(data)
        if not writer.is_closing():
            with suppress(OSError):  # the other end is gone
                writer.write_eof()


@asynccontextmanager
async def _closed(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the next turn of the loop
