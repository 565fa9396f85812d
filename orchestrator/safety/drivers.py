"""Whether the drivers that targets need are installed, asked before anything is touched."""

from collections.abc import Iterable, Mapping

from orchestrator.dialects import BACKENDS
from orchestrator.dialects.drivers import (
    MODULES,
    default_driver,
    is_installed,
    named_driver,
    sync_driver,
)
from orchestrator.errors import UsageError

_INSTEAD = {
    "mysql": "write mysql+pymysql://…, whose driver is always installed",
    "mariadb": "write mariadb+pymysql://…, whose driver is always installed",
    "postgresql": (
        "write postgresql+psycopg://… and install its driver: "
        "pip install 'alembic-orchestrator[postgres]'"
    ),
}


def check_drivers(drivers: Iterable[str]) -> None:
    """Raise ``UsageError`` for the first of SQLAlchemy's driver names that can't be used here."""
    for driver in sorted({sync_driver(driver) for driver in drivers}):
        backend, _, name = driver.partition("+")
        if backend not in BACKENDS:
            raise UsageError(f"'{driver}' is not supported; there are {', '.join(BACKENDS)}")
        name = name or default_driver(backend)
        module = MODULES.get(name, name)
        if not is_installed(name):
            raise UsageError(
                f"the driver of '{driver}' (Python package {module}) is not installed\n"
                f"  {_INSTEAD.get(backend, 'install it')}"
            )


def substitutes(drivers: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """Return which driver each URL without one means and which takes its place, where that is
    another one because it is not installed."""
    found = {}
    for driver in sorted(set(drivers)):
        if (named := named_driver(driver)) != driver:
            found[driver] = default_driver(driver), named
    return found
