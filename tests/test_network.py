"""The network of the tests: what it counts, how long it takes, and that nothing is left of it."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.network import HOST, Traffic, network

CONNECTING = b""
HELLO = b"hello\n"
PIECES = 3


class Echo(socketserver.StreamRequestHandler):
    """Answers each line with itself, but "bye" with nothing, and "much" in pieces."""

    greeting = b""

    def handle(self) -> None:
        self.wfile.write(self.greeting)
        for line in self.rfile:
            if line == b"bye\n":
                break
            for _ in range(PIECES if line == b"much\n" else 1):
                self.wfile.write(line)
                time.sleep(0.01)


class GreetingEcho(Echo):
    """Speaks first, as MySQL does."""

    greeting = HELLO


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = False  # close() waits for them


@contextmanager
def served(handler: type[Echo] = Echo) -> Iterator[int]:
    with Server((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class Client:
    """Says lines, and waits for lines."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=10)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def say(self, *lines: bytes) -> None:
        for line in lines:
            self.socket.sendall(line)

    def hear(self, lines: int = 1) -> list[bytes]:
        return [self.file.readline() for _ in range(lines)]

    def ask(self, *lines: bytes) -> list[bytes]:
        self.say(*lines)
        return self.hear(len(lines))


def test_each_question_that_waits_is_a_round_trip() -> None:
    with served() as port, network(port) as (near, traffic), Client(near) as client:
        assert [client.ask(b"one\n"), client.ask(b"two\n")] == [[b"one\n"], [b"two\n"]]
        assert traffic == Traffic([[CONNECTING, b"one\n", b"two\n"]])
        assert traffic.round_trips == 3


def test_what_is_said_at_once_is_one_round_trip() -> None:
    with served() as port, network(port) as (near, traffic), Client(near) as client:
        client.ask(b"one\n", b"two\n")
        client.ask(b"three\n")
        # The answer to "one" may be on its way before "two" is said, but nobody has heard it.
        assert b"".join(traffic.connections[0]) == b"one\ntwo\nthree\n"
        assert traffic.connections[0][-1] == b"three\n"


def test_what_is_said_while_the_answer_travels_did_not_wait_for_it() -> None:
    Telling.answered.clear()
    with served(Telling) as port, network(port, 0.6) as (near, traffic), Client(near) as client:
        client.say(b"one\n")
        assert Telling.answered.wait(10)  # 0.3 s before we hear it
        client.say(b"two\n")
        client.hear(2)
        assert traffic.connections == [[CONNECTING, b"one\ntwo\n"]]


class Telling(Echo):
    """Tells when it has answered."""

    answered = threading.Event()

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)
            self.answered.set()


def test_an_answer_in_pieces_is_one_answer() -> None:
    with served() as port, network(port) as (near, traffic), Client(near) as client:
        client.say(b"much\n")
        assert client.hear(PIECES) == [b"much\n"] * PIECES
        client.ask(b"one\n")
        assert traffic.connections == [[CONNECTING, b"much\n", b"one\n"]]


def test_waiting_for_a_greeting_is_a_round_trip() -> None:
    with served(GreetingEcho) as port, network(port) as (near, traffic), Client(near) as client:
        assert client.hear() == [HELLO]
        client.ask(b"one\n")
        assert traffic.connections == [[CONNECTING, b"", b"one\n"]]


def test_a_farewell_is_none() -> None:
    with served() as port, network(port) as (near, traffic), Client(near) as client:
        client.ask(b"one\n")
        client.say(b"bye\n")
        assert client.hear() == [b""]
        assert traffic.connections == [[CONNECTING, b"one\n"]]


def test_each_connection_is_counted_by_itself() -> None:
    with served() as port, network(port) as (near, traffic):
        with Client(near) as first, Client(near) as second:
            first.ask(b"one\n")
            second.ask(b"two\n")
            first.ask(b"three\n")
        assert sorted(traffic.connections) == [
            [CONNECTING, b"one\n", b"three\n"],
            [CONNECTING, b"two\n"],
        ]


def test_what_was_said_before_the_end_arrives() -> None:
    with served() as port, network(port, 0.02) as (near, _), Client(near) as client:
        client.say(b"one\n", b"two\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.hear(3) == [b"one\n", b"two\n", b""]


def test_much_arrives_whole_and_in_order() -> None:
    lines = [b"%06d\n" % number for number in range(50_000)]
    with served(Count) as port, network(port, 0.002) as (near, _), Client(near) as client:
        client.say(b"".join(lines))
        assert client.hear(len(lines)) == lines


class Count(Echo):
    """An echo that never pauses."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


@pytest.mark.parametrize(
    ("handler", "trips"),
    [pytest.param(Echo, 4, id="asked"), pytest.param(GreetingEcho, 5, id="greeted")],
)
def test_no_round_trip_is_shorter_than_it_should_be(handler: type[Echo], trips: int) -> None:
    round_trip = 0.02
    with served(handler) as port, network(port, round_trip) as (near, traffic):
        began = time.monotonic()
        with Client(near) as client:
            client.hear(len(handler.greeting.splitlines()))
            for _ in range(3):
                client.ask(b"one\n")
        took = time.monotonic() - began
    assert traffic.round_trips == trips
    assert took > trips * round_trip - 0.001  # clocks and timers are rounded


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with served() as port:
        pass
    with network(port) as (near, traffic), Client(near) as client:
        assert client.hear() == [b""]
        assert traffic.round_trips == 1


def test_a_server_that_ends_the_connection_is_heard() -> None:
    with served() as port, network(port, 0.01) as (near, _), Client(near) as client:
        client.say(b"bye\n")
        assert client.hear() == [b""]


@pytest.mark.parametrize("round_trip", [0.0, 5.0])
def test_the_end_cuts_what_is_open(round_trip: float) -> None:
    with served() as port:
        with network(port, round_trip) as (near, _):
            client = Client(near)
            if not round_trip:
                client.ask(b"one\n")
        with client:
            assert _is_cut(client)
    with pytest.raises(ConnectionRefusedError):
        Client(near)


def test_its_thread_ends() -> None:
    before = threading.active_count()
    with network(1):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_nothing_is_left_unsaid_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with served() as port, network(port) as (near, _):
        clients = [Client(near) for _ in range(5)]
        for client in clients[:3]:
            client.ask(b"one\n")
    for client in clients:
        with client:
            pass
    assert not caplog.records  # asyncio logs what nobody looked at


def test_a_mistake_in_the_body_is_raised() -> None:
    with served() as port, pytest.raises(RuntimeError, match="mistake"), network(port):
        raise RuntimeError("mistake")


def _is_cut(client: Client) -> bool:
    try:
        return client.hear() == [b""]
    except ConnectionResetError:
        return True
