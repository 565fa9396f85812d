"""Whether the drivers that targets need are installed, asked before anything is touched."""

from collections.abc import Iterable
from importlib.util import find_spec

from orchestrator.dialects import BACKENDS
from orchestrator.dialects.drivers import sync_driver
from orchestrator.errors import UsageError

_DEFAULT = {
    "mysql": "mysqldb",
    "mariadb": "mysqldb",
    "postgresql": "psycopg2",
    "sqlite": "pysqlite",
}
_MODULES = {
    "pymysql": "pymysql",
    "mysqldb": "MySQLdb",
    "mysqlconnector": "mysql.connector",
    "mariadbconnector": "mariadb",
    "psycopg": "psycopg",
    "psycopg2": "psycopg2",
    "pg8000": "pg8000",
    "pysqlite": "sqlite3",
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
    for driver in sorted({sync_driver(driver, _is_installed) for driver in drivers}):
        backend, _, name = driver.partition("+")
        if backend not in BACKENDS:
            raise UsageError(f"'{driver}' is not supported; there are {', '.join(BACKENDS)}")
        name = name or _DEFAULT[backend]
        module = _MODULES.get(name, name)
        if not _is_installed(name):
            raise UsageError(
                f"the driver of '{driver}' (Python package {module}) is not installed\n"
                f"  {_INSTEAD.get(backend, 'install it')}"
            )


def _is_installed(driver: str) -> bool:
    try:
        return find_spec(_MODULES.get(driver, driver)) is not None
    except ModuleNotFoundError:
        return False
