"""The links of a network: what passes over one that is whole, silent, or cut."""

import socket
from contextlib import suppress

import pytest

from tests.links import Network
from tests.network import HOST
from tests.test_network import HELLO, served


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=10)


def test_what_a_silent_link_holds_back_arrives_once_it_is_mended() -> None:
    with served() as port, Network() as network:
        link = network.link(port)
        with connected(link.port) as client:
            client.sendall(HELLO)
            assert client.recv(100) == HELLO

            network.tell(link.silence)
            client.sendall(HELLO)
            client.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.recv(100)

            network.tell(link.mend)
            client.settimeout(10)
            assert client.recv(100) == HELLO


def test_a_link_that_is_cut_ends_connections_and_takes_none() -> None:
    with served() as port, Network() as network:
        link = network.link(port)
        with connected(link.port) as client:
            client.sendall(HELLO)
            assert client.recv(100) == HELLO

            network.tell(link.cut)
            assert ended(client)
            with connected(link.port) as other:
                assert ended(other)

        network.tell(link.mend)
        with connected(link.port) as client:
            client.sendall(HELLO)
            assert client.recv(100) == HELLO


def ended(client: socket.socket) -> bool:
    """Whether the other end is gone."""
    with suppress(ConnectionResetError):
        return client.recv(100) == b""
    return True
