"""A PostgreSQL database in which tests make schemas and look at them."""

from collections.abc import Mapping, Sequence
from contextlib import closing

from orchestrator.dialects.postgresql_schema import quoted
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Reading
from tests.inspection.looking import place
from tests.servers import Postgres, unique


class Database:
    """One database with a schema for each tenant."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server, self.name, self.url = server, name, server.url(name)

    def run(self, *statements: str) -> None:
        """Run statements, each on its own."""
        self.server.execute_all(statements, self.name)

    def make(self, schemas: Mapping[str, Sequence[str]]) -> None:
        """Create schemas, each with what its statements make where it is alone on the path.

        In a statement ``<s>`` is the schema's name as an identifier, ``<n>`` as it is.
        """
        with closing(self.server.connect(self.name)) as connection:
            for name, statements in schemas.items():
                own = quoted(name)
                given = "; ".join(statements).replace("<s>", own).replace("<n>", name)
                connection.execute(f"CREATE SCHEMA {own}; SET search_path TO {own}; {given}")

    def drop(self, *schemas: str) -> None:
        """Drop schemas and all that is in them."""
        self.run(*(f"DROP SCHEMA {quoted(schema)} CASCADE" for schema in schemas))

    def readings(self, *schemas: str) -> dict[str, Reading]:
        """Return what one look at all schemas finds of each."""
        places = [place(self.url, schema, schema) for schema in schemas]
        return {reading.target: reading for reading in fleet.read(places, schemas=True)}

    def fingerprints(self, *schemas: str) -> list[str]:
        """Return the fingerprint of each schema, all of which can be read."""
        readings = self.readings(*schemas)
        assert [r.failure for r in readings.values() if r.failure] == []
        found = [readings[schema].fingerprint for schema in schemas]
        assert None not in found
        return [str(fingerprint) for fingerprint in found]

    def same(self, left: Sequence[str], right: Sequence[str], names: Sequence[str] = ()) -> bool:
        """Whether statements make schemas of the same fingerprint, whatever their names are."""
        one, two = names or (unique("left"), unique("right"))
        self.make({one: left, two: right})
        first, second = self.fingerprints(one, two)
        self.drop(one, two)
        return first == second
