"""One question to a database that is no target: who the tenants are."""

import os
from typing import Any

from orchestrator.config.redaction import Redactor
from orchestrator.config.secrets import Secrets
from orchestrator.dialects.drivers import sync_components, sync_driver
from orchestrator.errors import TargetsFailed
from orchestrator.fleet.location import Location, is_uri

_CONNECT_TIMEOUT = 5
_READ_TIMEOUT = 60
"""For a server that accepts and then never answers; psycopg's connect_timeout covers that."""
_TAKES_READ_TIMEOUT = frozenset({"pymysql", "mysqldb"})
_TAKES_CONNECT_TIMEOUT = _TAKES_READ_TIMEOUT | {"psycopg", "psycopg2"}


def rows(environment: str, location: Location, sql: str, secrets: Secrets) -> list[dict[str, Any]]:
    """Return the rows of a query as mappings of columns.

    Connects once, for this, and waits seconds rather than minutes for a server that is gone.
    Creates no SQLite file. Raises ``TargetsFailed`` in the database's words, without any secret.
    """
    from sqlalchemy import URL, create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    _check_file(environment, location)
    arguments = _timeouts(location)
    try:
        url = URL.create(**sync_components(location))
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
        with engine.connect() as connection:
            # As it is in the file: neither ':name' nor '%' is the driver's to interpret.
            options = {"no_parameters": True}
            result = connection.exec_driver_sql(sql, execution_options=options)
            return [dict(row) for row in result.mappings()]
    except DBAPIError as error:
        raise _failed(environment, location, _words(error.orig or error), secrets) from None
    except Exception as error:  # noqa: BLE001 - drivers raise anything for an option they lack
        raise _failed(environment, location, str(error), secrets) from None


def _timeouts(location: Location) -> dict[str, int]:
    driver = sync_driver(location.driver).partition("+")[2]
    timeouts = {}
    if driver in _TAKES_CONNECT_TIMEOUT:
        timeouts["connect_timeout"] = _CONNECT_TIMEOUT
    if driver in _TAKES_READ_TIMEOUT:
        timeouts["read_timeout"] = _READ_TIMEOUT
    return {name: value for name, value in timeouts.items() if name not in location.query}


def _check_file(environment: str, location: Location) -> None:
    path = location.database or ""
    # Path.is_file raises where a folder may not be looked into.
    is_file = os.path.isfile(path)  # noqa: PTH113 - Path's may raise
    if location.backend != "sqlite" or is_uri(path, location.query) or is_file:
        return
    raise TargetsFailed(
        f"the tenants of '{environment}' could not be read: there is no file {path}\n"
        f"  check environments.{environment}.tenants"
    )


def _failed(environment: str, location: Location, cause: str, secrets: Secrets) -> TargetsFailed:
    known = {location.password} if location.password else set[str]()
    redact = Redactor(secrets.values | known)
    return TargetsFailed(
        redact(
            f"the tenants of '{environment}' could not be read from {location.server}: {cause}\n"
            f"  check environments.{environment}.tenants, and that the server can be reached"
        )
    )


def _words(error: BaseException) -> str:
    """What the database said: the drivers of MySQL put an error's number before it."""
    args = [arg for arg in error.args if isinstance(arg, str)]
    return " ".join((args[-1] if args else str(error)).split()) or type(error).__name__
