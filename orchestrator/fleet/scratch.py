"""Where a database to throw away is, by what the file says."""

from pathlib import Path

from orchestrator.config.models import Config
from orchestrator.fleet.address import Address, AddressTemplate
from orchestrator.fleet.location import backend_of


def scratch_address(
    config: Config, folder: Path, database: str, backend: str | None
) -> Address | None:
    """Return the address of a database's scratch database for targets of a kind, if it has one.

    Raises ``ValueError`` for what is no database URL.
    """
    url = config.databases[database].scratch or config.project.scratch.of(backend)
    if url is None:
        return None
    return AddressTemplate.parse(url, None, folder).fill({"database": database})


def is_alike(one: str, other: str) -> bool:
    """Whether two drivers are of servers that take each other's place."""
    kinds = [backend_of(driver).replace("mariadb", "mysql") for driver in (one, other)]
    return kinds[0] == kinds[1]
