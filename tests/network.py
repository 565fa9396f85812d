"""A network between us and a server: it delays what it passes on, and counts the round trips."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """What went through: of each connection the round trips, and what was said in each."""

    connections: list[list[bytes]] = field(default_factory=list)

    @property
    def round_trips(self) -> int:
        """How often somebody waited for an answer of the server, connecting included."""
        return sum(map(len, self.connections))


@contextmanager
def network(port: int, round_trip: float = 0.0) -> Iterator[tuple[int, Traffic]]:
    """Give a port of this machine that leads to another, ``round_trip`` seconds away.

    What is said without having waited for an answer belongs to one round trip.
    """
    traffic, loop, started = Traffic(), asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        said: list[bytes] = []
        traffic.connections.append(said)
        answered = [True]

        def asks(data: bytes) -> None:
            if answered[0]:
                said.append(b"")
            answered[0] = False
            said[-1] += data

        def answers(_: bytes) -> None:
            answered[0] = True

        await asyncio.gather(
            _passed_on(reader, there[1], round_trip / 2, asks),
            _passed_on(there[0], writer, round_trip / 2, answers),
        )

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait()
    try:
        yield ports[0], traffic
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _passed_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    delay: float,
    told: Callable[[bytes], None],
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            data = await reader.read(65536)
        except OSError:
            data = b""
        if not data:
            break
        told(data)
        if delay:
            loop.call_later(delay, _write, writer, data)
        else:
            _write(writer, data)
    if delay:
        await asyncio.sleep(delay)
    writer.close()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
