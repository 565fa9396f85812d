"""A target's URL: as ``env.py`` gets it, and as we connect to it."""

import os
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.dialects.drivers import named_driver, sync_components
from orchestrator.fleet.location import Location, in_memory


def url_of(location: Location) -> URL:
    """Return SQLAlchemy's URL of a location as ``environments.toml`` says it, secrets and all.

    With a driver that is installed, where it names none: ``env.py`` makes an engine of it.
    """
    return URL.create(**location.components).set(drivername=named_driver(location.driver))


def own_url_of(location: Location) -> URL:
    """Return the URL that we connect to: the same, through a driver that is not asynchronous."""
    return URL.create(**sync_components(location))


def leads_to(url: Any, location: Location) -> bool:
    """Whether a URL is that of the location's database, whatever its driver, user and options."""
    try:
        other = make_url(url)
    except ArgumentError:
        return False
    return _database_of(other, location.schema) == _database_of(
        url_of(location), location.schema
    ) and not is_in_memory(other)


def shown_url(url: URL) -> str:
    """Return a URL fit for people: no password, and of its options only that there are some."""
    plain = url.set(query={}).render_as_string(hide_password=True)
    return f"{plain}?…" if url.query else plain


def is_in_memory(url: URL) -> bool:
    """Whether it is a SQLite database that nobody else can see."""
    is_sqlite = url.get_backend_name() == "sqlite"
    return is_sqlite and in_memory(url.database or "", url.query)


def _database_of(url: URL, schema: str | None) -> str:
    location = Location(
        driver=url.drivername,
        username=url.username,
        password=None,
        host=url.host,
        port=url.port,
        database=url.database,
        query=url.query,
        schema=schema,
    )
    file = location.file
    return os.path.realpath(file) if location.backend == "sqlite" and file else location.identity
