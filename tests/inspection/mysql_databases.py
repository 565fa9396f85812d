"""Databases of MariaDB made from texts, and read all in one go."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from orchestrator.fleet.schema import Thing
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Reading
from tests.inspection.looking import place
from tests.servers import MariaDB, unique

Looks = Mapping[str, tuple[Reading, tuple[Thing, ...]]]


def run(server: MariaDB, sql: str, database: str | None = None) -> None:
    """Run many statements, sent at once."""
    with closing(connect(server, database)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        while cursor.nextset():
            pass


def connect(server: MariaDB, database: str | None = None) -> Any:
    """Return a connection that takes many statements at once."""
    return pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=database,
        client_flag=CLIENT.MULTI_STATEMENTS,
        autocommit=True,
    )


@contextmanager
def made(server: MariaDB, schemas: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Make a database of each text; yield their names."""
    base = unique("fp")
    names = {key: f"{base}_{at}" for at, key in enumerate(schemas)}
    with server.databases(*names.values()):
        for key, sql in schemas.items():
            try:
                run(server, sql, names[key])
            except pymysql.Error as error:
                raise AssertionError(f"{key[-200:]}: {error}") from error
        yield names


def looks(server: MariaDB, names: Mapping[str, str]) -> Looks:
    """Read them all in one go."""
    places = [place(server.url(name), target=key) for key, name in names.items()]
    readings = {reading.target: reading for reading in fleet.read(places, schemas=True)}
    things = fleet.things(places)
    return {key: (readings[key], _found(things[key])) for key in names}


def fingerprints(server: MariaDB, names: Mapping[str, str]) -> dict[str, str | None]:
    """Return the fingerprint of each; all must be readable."""
    found = {key: reading for key, (reading, _) in looks(server, names).items()}
    assert [reading for reading in found.values() if reading.failure is not None] == []
    return {key: reading.fingerprint for key, reading in found.items()}


def _found(things: tuple[Thing, ...] | Exception) -> tuple[Thing, ...]:
    assert not isinstance(things, Exception), things
    return things
