"""Asynchronous drivers of SQLAlchemy, and the ones that take their place.

An application's URL names the driver that the application wants. The orchestrator connects with an
ordinary one to the same database.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from orchestrator.fleet.location import Location, Query

MODULES: Mapping[str, str] = {
    "mysqldb": "MySQLdb",
    "mysqlconnector": "mysql.connector",
    "mariadbconnector": "mariadb",
    "pysqlite": "sqlite3",
}
"""The Python module of a driver, where it is called otherwise than SQLAlchemy calls the driver."""

OF_LIBPQ = frozenset({"psycopg", "psycopg2"})
"""They begin transactions themselves, and can be told without a round trip not to; what they are
given may be several statements."""

_INSTEAD: Mapping[str, tuple[str, ...]] = {
    "asyncpg": ("psycopg", "psycopg2"),
    "psycopg_async": ("psycopg",),
    "aiomysql": ("pymysql",),
    "asyncmy": ("pymysql",),
    "aiosqlite": ("pysqlite",),
}
# Where a URL names no driver, those that may take the place of the one that it means.
_OF_BACKEND: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("psycopg", "psycopg2", "pg8000"),
    "mysql": ("pymysql", "mysqldb", "mysqlconnector"),
    "mariadb": ("pymysql", "mysqldb", "mysqlconnector"),
}
# What only the asynchronous driver understands, and what the same is called for ours.
_QUERY: Mapping[str, Mapping[str, str | None]] = {
    "asyncpg": {
        "ssl": "sslmode",
        "timeout": "connect_timeout",
        "command_timeout": None,
        "prepared_statement_cache_size": None,
        "prepared_statement_name_func": None,
        "statement_cache_size": None,
        "async_fallback": None,
    },
    "aiomysql": {"async_fallback": None},
    "asyncmy": {"async_fallback": None},
}


def is_installed(driver: str) -> bool:
    """Whether a driver can be imported, by SQLAlchemy's name of it."""
    try:
        return find_spec(MODULES.get(driver, driver)) is not None
    except ModuleNotFoundError:
        return False


def default_driver(backend: str) -> str:
    """Return the driver that SQLAlchemy means by ``postgresql://``: another one in each version."""
    from sqlalchemy.engine import make_url

    return make_url(f"{backend}://").get_dialect().driver


def named_driver(driver: str, is_installed: Callable[[str], bool] = is_installed) -> str:
    """Return ``postgresql+psycopg`` for ``postgresql`` where the driver that it means is missing.

    The first other one of the same server that is installed; else, and for any driver that is
    named, ``driver`` as it is.
    """
    others = _OF_BACKEND.get(driver, ())
    if not others or is_installed(default_driver(driver)):
        return driver
    return next((f"{driver}+{other}" for other in others if is_installed(other)), driver)


def sync_driver(driver: str, is_installed: Callable[[str], bool] = is_installed) -> str:
    """Return the driver to connect with: ``postgresql+psycopg`` for ``postgresql+asyncpg``.

    The first that is installed, else the first. ``postgresql`` alone is the driver that it means,
    or one that is installed in its place. Any other driver is returned as it is.
    """
    driver = named_driver(driver, is_installed)
    backend, _, name = driver.partition("+")
    instead = _INSTEAD.get(name)
    if instead is None:
        return driver
    return f"{backend}+{next(filter(is_installed, instead), instead[0])}"


def sync_query(driver: str, query: Query) -> Query:
    """Return a URL's query without what only its asynchronous driver understands."""
    names = _QUERY.get(driver.partition("+")[2], {})
    renamed = ((names.get(key, key), value) for key, value in query.items())
    return {key: value for key, value in renamed if key is not None}


def sync_components(location: Location) -> dict[str, Any]:
    """Return the arguments of ``sqlalchemy.URL.create`` for the URL that we connect to."""
    return {
        **location.components,
        "drivername": sync_driver(location.driver),
        "query": sync_query(location.driver, location.query),
    }
