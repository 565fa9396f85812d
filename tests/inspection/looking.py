"""One look at one schema, ours and Alembic's own."""

from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from orchestrator.dialects import Timeouts
from orchestrator.dialects.postgresql_schema import quoted
from orchestrator.fleet.location import Location
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Reading, Source


def place(
    url: str, schema: str | None = None, target: str = "prod/shop/acme", **options: Any
) -> Source:
    """Return a target at ``url``, in ``schema`` where the dialect has one for each tenant."""
    parsed = make_url(url)
    location = Location(
        parsed.drivername,
        parsed.username,
        parsed.password,
        parsed.host,
        parsed.port,
        parsed.database,
        dict(parsed.query),
        schema,
    )
    return Source(target, location, VersionTable(), Timeouts(5.0), **options)


def look(url: str, schema: str | None = None) -> Reading:
    """Read one target, its schema included."""
    (reading,) = fleet.read([place(url, schema)], schemas=True)
    return reading


def fingerprint(url: str, schema: str | None = None) -> str:
    """Return the fingerprint of a target that can be read."""
    reading = look(url, schema)
    assert reading.failure is None, reading.failure
    assert reading.fingerprint is not None
    return reading.fingerprint


def things(url: str, schema: str | None = None) -> tuple[Thing, ...]:
    """Return everything in a target."""
    (found,) = fleet.things([place(url, schema)]).values()
    assert not isinstance(found, Exception), found
    return found


def reflected(url: str, schema: str | None = None) -> MetaData:
    """Return what SQLAlchemy sees, as a model."""
    metadata = MetaData()
    with _connection(url, schema) as connection:
        metadata.reflect(connection)
    return metadata


def compared(url: str, models: Sequence[MetaData], schema: str | None = None) -> list[list[str]]:
    """Return what Alembic's autogenerate finds against each model, types and defaults included."""
    options = {"compare_type": True, "compare_server_default": True}
    found = []
    with _connection(url, schema) as connection:
        for model in models:
            context = MigrationContext.configure(connection, opts=options)
            found.append(sorted(map(repr, compare_metadata(context, model))))
            connection.rollback()
    return found


def _connection(url: str, schema: str | None) -> Any:
    engine = create_engine(url, poolclass=NullPool)
    connection = engine.connect()
    if schema is not None:
        connection.exec_driver_sql(f"SET search_path TO {quoted(schema)}")
        connection.commit()
        connection.dialect.default_schema_name = schema
    return connection
