"""Fingerprints of PostgreSQL schemas: what changes them, and what must not."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from orchestrator.dialects.postgresql_schema import quoted
from orchestrator.inspection import fleet
from tests.inspection.looking import place
from tests.inspection.postgresql_mutations import BASE, MUTATIONS, PUBLIC, SHARED
from tests.servers import Postgres, unique


class Database:
    """One database with a schema for each tenant."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server, self.name, self.url = server, name, server.url(name)

    def run(self, *statements: str) -> None:
        """Run statements, together."""
        self.server.execute("; ".join(statements), self.name)

    def make(self, schemas: dict[str, tuple[str, ...]]) -> None:
        """Create schemas, each with what its statements make where it is alone on the path.

        ``{s}`` in a statement is the schema's name as an identifier.
        """
        with closing(self.server.connect(self.name)) as connection:
            for name, statements in schemas.items():
                own = quoted(name)
                given = "; ".join(statements).replace("{s}", own)
                connection.execute(f"CREATE SCHEMA {own}; SET search_path TO {own}; {given}")

    def fingerprints(self, *schemas: str) -> list[str]:
        """Return the fingerprint of each schema."""
        places = [place(self.url, schema, schema) for schema in schemas]
        readings = {reading.target: reading for reading in fleet.read(places, schemas=True)}
        assert not [r.failure for r in readings.values() if r.failure]
        return [readings[schema].fingerprint or "" for schema in schemas]

    def differ(self, *, left: str, right: str) -> bool:
        """Whether two statements make schemas with different fingerprints."""
        names = unique("left"), unique("right")
        self.make({names[0]: (left,), names[1]: (right,)})
        first, second = self.fingerprints(*names)
        return first != second


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    with postgres.databases(unique("fingerprints")) as (name,):
        made = Database(postgres, name)
        made.run(*PUBLIC)
        yield made


@pytest.fixture(scope="module")
def mutants(database: Database) -> dict[str, str]:
    """The schema of each mutation by its name, and of none, twice."""
    names = {what: f"mutant_{n:03}" for n, what in enumerate(["", "again", *MUTATIONS])}
    change = {names[what]: (*BASE, sql) for what, sql in MUTATIONS.items()}
    database.make({names[""]: BASE, names["again"]: BASE, **change})
    return names


def test_every_single_change_changes_the_fingerprint(database, mutants):
    base, *found = database.fingerprints(*(mutants[what] for what in ("", *MUTATIONS)))

    by_mutation = dict(zip(MUTATIONS, found, strict=True))
    assert [what for what, fingerprint in by_mutation.items() if fingerprint == base] == []
    assert len(set(found)) == len(MUTATIONS)


def test_every_single_change_can_be_told(database, mutants):
    places = [place(database.url, schema, schema) for schema in mutants.values()]
    told = {target: set(found) for target, found in fleet.things(places).items()}
    base = told[mutants[""]]

    assert told[mutants["again"]] == base
    assert [what for what in MUTATIONS if told[mutants[what]] == base] == []


def test_what_a_schema_uses_of_another_is_part_of_it(database, mutants):
    before = database.fingerprints(mutants[""])
    for what, sql in SHARED.items():
        database.run(sql)
        after = database.fingerprints(mutants[""])
        assert after != before, what
        before = after
