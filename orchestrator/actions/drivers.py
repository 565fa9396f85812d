"""Whether the drivers that targets need are installed, asked before anything is touched."""

from collections.abc import Iterable

from orchestrator.dialects import BACKENDS
from orchestrator.dialects.drivers import MODULES, is_installed, sync_driver
from orchestrator.errors import UsageError

_DEFAULT = {
    "mysql": "mysqldb",
    "mariadb": "mysqldb",
    "postgresql": "psycopg2",
    "sqlite": "pysqlite",
}
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
        name = name or _DEFAULT[backend]
        module = MODULES.get(name, name)
        if not is_installed(name):
            raise UsageError(
                f"the driver of '{driver}' (Python package {module}) is not installed\n"
                f"  {_INSTEAD.get(backend, 'install it')}"
            )
