"""One physical database or schema."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.fleet.address import Address


@dataclass(frozen=True, slots=True)
class Target:
    """A database of an environment, for one tenant or shared by all."""

    environment: str
    database: str
    tenant: str | None
    labels: Mapping[str, str]
    """The tenant's labels, its ``name`` included; empty for a shared target."""
    address: Address
    """Where it is, with labels filled and secrets unresolved."""

    @property
    def name(self) -> str:
        """``environment/database/tenant``, or ``environment/database`` where it is shared."""
        base = f"{self.environment}/{self.database}"
        return base if self.tenant is None else f"{base}/{self.tenant}"

    @property
    def server(self) -> str:
        """What it shares with other targets: ``mysql://db1:3306``."""
        return self.address.server
