"""How a dashboard is served, and whom it trusts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from orchestrator.config.roles import Role
from orchestrator.errors import Refused, UsageError

Network = IPv4Network | IPv6Network
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_INSTEAD = (
    "  give it a certificate: --tls-cert FILE --tls-key FILE; or name the proxy in front of it\n"
    "  that has one: --trusted-proxy ADDRESS; or leave --host out, and use an SSH tunnel"
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy in front of the dashboard that knows who people are."""

    networks: tuple[Network, ...]
    """From where it connects."""
    user_header: str = ""
    """Which of its headers names who is there; empty where people sign in with tokens."""
    role_header: str = ""
    """Which one names their role; empty where all have ``role``."""
    role: Role = Role.VIEWER

    def is_at(self, address: str) -> bool:
        """Whether a connection from an address is the proxy's."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a dashboard is served."""

    host: str = "127.0.0.1"
    port: int = 8321
    certificate: Path | None = None
    key: Path | None = None
    proxy: Proxy | None = None
    session: float = 12 * 3600.0
    """Seconds after which one signs in again."""

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS itself."""
        return self.certificate is not None

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_encrypted else 'http'}://{host}:{self.port}"

    def at(self, port: int) -> "Settings":
        """Return them with the port that the system chose."""
        return replace(self, port=port)

    def assert_safe(self) -> None:
        """Raise ``Refused`` where passwords would cross a network in the clear."""
        if self.host not in LOOPBACK and not self.is_encrypted and self.proxy is None:
            raise Refused(f"others could read what passes between {self.host} and you\n{_INSTEAD}")
        if (self.certificate is None) != (self.key is None):
            raise UsageError("--tls-cert and --tls-key belong together")
        for file in (self.certificate, self.key):
            if file is not None and not file.is_file():
                raise UsageError(f"there is no file {file}")


def networks(addresses: Sequence[str]) -> tuple[Network, ...]:
    """Parse addresses and networks. Raises ``UsageError``."""
    try:
        return tuple(ip_network(address, strict=False) for address in addresses)
    except ValueError as error:
        raise UsageError(f"--trusted-proxy: {error}") from None
