"""One question to a database that is no target: who the tenants are."""

from pathlib import Path
from typing import Any

from orchestrator.config.redaction import Redactor
from orchestrator.config.secrets import Secrets
from orchestrator.errors import TargetsFailed
from orchestrator.fleet.location import Location, is_uri

_CONNECT_TIMEOUT = 5
_TAKES_CONNECT_TIMEOUT = frozenset({"pymysql", "mysqldb", "psycopg", "psycopg2"})


def rows(environment: str, location: Location, sql: str, secrets: Secrets) -> list[dict[str, Any]]:
    """Return the rows of a query as mappings of columns.

    Connects once, for this, and waits seconds rather than minutes for a server that is gone.
    Creates no SQLite file. Raises ``TargetsFailed`` in the database's words, without any secret.
    """
    from sqlalchemy import URL, create_engine
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    _check_file(environment, location)
    arguments: dict[str, Any] = {}
    takes_timeout = location.driver.partition("+")[2] in _TAKES_CONNECT_TIMEOUT
    if takes_timeout and "connect_timeout" not in location.query:
        arguments["connect_timeout"] = _CONNECT_TIMEOUT
    try:
        engine = create_engine(
            URL.create(**location.components), poolclass=NullPool, connect_args=arguments
        )
        with engine.connect() as connection:
            # As it is in the file: neither ':name' nor '%' is the driver's to interpret.
            options = {"no_parameters": True}
            result = connection.exec_driver_sql(sql, execution_options=options)
            return [dict(row) for row in result.mappings()]
    except DBAPIError as error:
        raise _failed(environment, location, _words(error.orig or error), secrets) from None
    except (NoSuchModuleError, ArgumentError, SQLAlchemyError, ImportError) as error:
        raise _failed(environment, location, str(error), secrets) from None


def _check_file(environment: str, location: Location) -> None:
    path = location.database or ""
    if location.backend != "sqlite" or is_uri(path, location.query) or Path(path).is_file():
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
