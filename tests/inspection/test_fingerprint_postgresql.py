"""Fingerprints of PostgreSQL schemas: what changes them, and what must not."""

from collections.abc import Iterator

import pytest

from orchestrator.dialects.postgresql_schema import quoted
from orchestrator.inspection import fleet
from tests.inspection.looking import place
from tests.inspection.postgresql_database import Database
from tests.inspection.postgresql_mutations import BASE, MUTATIONS, PUBLIC, SHARED
from tests.servers import Postgres, unique


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


TABLE = "CREATE TABLE t (a integer, b text, c date)"
CUSTOMER = "CREATE TABLE c (id integer PRIMARY KEY)"
UNSEEN = {
    "nothing": "SELECT 1",
    "rows": "INSERT INTO <s>.customers (name) SELECT 'x' FROM generate_series(1, 1000)",
    "a sequence that went on": "SELECT nextval('<s>.tickets')",
    "statistics": "ANALYZE <s>.customers",
    "a vacuum": "VACUUM FULL <s>.customers",
    "a new index": "REINDEX TABLE <s>.customers",
    "an index made again": "DROP INDEX <s>.ix_tags; CREATE INDEX ix_tags ON <s>.orders"
    " USING gin (tags)",
    "a table made again": "DROP TABLE <s>.parent CASCADE; CREATE TABLE <s>.parent (a integer);"
    " CREATE TABLE <s>.child (b integer) INHERITS (<s>.parent)",
    "a column that came and went": "ALTER TABLE <s>.other ADD x integer;"
    " ALTER TABLE <s>.other DROP x",
    "an attribute that came and went": "ALTER TYPE <s>.one ADD ATTRIBUTE x integer CASCADE;"
    " ALTER TYPE <s>.one DROP ATTRIBUTE x CASCADE",
    "a version table": "CREATE TABLE <s>.alembic_version (version_num varchar(32) PRIMARY KEY)",
    "a version": "INSERT INTO <s>.alembic_version VALUES ('a1')",
    "a version table's comment": "COMMENT ON TABLE <s>.alembic_version IS 'x'",
    "rights": "GRANT SELECT ON ALL TABLES IN SCHEMA <s> TO PUBLIC",
    "another schema": "CREATE SCHEMA beside; CREATE TABLE beside.orders (id integer)",
    "another schema's type": "CREATE TYPE beside.mood AS ENUM ('x')",
}
SAME = {
    "a column dropped before": (
        [TABLE],
        [
            "CREATE TABLE t (a integer, x text)",
            "ALTER TABLE t DROP x",
            "ALTER TABLE t ADD b text",
            "ALTER TABLE t ADD c date",
        ],
    ),
    "indexes in another order": (
        [TABLE, "CREATE INDEX i ON t (a)", "CREATE INDEX j ON t (b)"],
        [TABLE, "CREATE INDEX j ON t (b)", "CREATE INDEX i ON t (a)"],
    ),
    "constraints in another order": (
        [TABLE, "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a), ADD CONSTRAINT y CHECK (a > 0)"],
        [TABLE, "ALTER TABLE t ADD CONSTRAINT y CHECK (a > 0), ADD CONSTRAINT x UNIQUE (a)"],
    ),
    "tables in another order": ([TABLE, CUSTOMER], [CUSTOMER, TABLE]),
    "an enum's label added later": (
        ["CREATE TYPE m AS ENUM ('a', 'b', 'c')"],
        ["CREATE TYPE m AS ENUM ('a', 'c')", "ALTER TYPE m ADD VALUE 'b' BEFORE 'c'"],
    ),
    "a serial by hand": (
        ["CREATE TABLE t (id serial)"],
        [
            "CREATE SEQUENCE t_id_seq AS integer",
            "CREATE TABLE t (id integer NOT NULL DEFAULT nextval('t_id_seq'))",
            "ALTER SEQUENCE t_id_seq OWNED BY t.id",
        ],
    ),
}


def test_what_alembic_can_not_see_changes_nothing(database):
    schema = "Un-seen"
    database.make({schema: BASE})
    before = database.fingerprints(schema)
    for what, sql in UNSEEN.items():
        database.run(*sql.replace("<s>", quoted(schema)).split(";"))
        assert database.fingerprints(schema) == before, what


@pytest.mark.parametrize("what", SAME)
def test_another_history_of_the_same_schema_changes_nothing(database, what):
    left, right = SAME[what]
    assert database.same(left, right)


@pytest.mark.parametrize(
    ("body", "alike"),
    [
        ("'SELECT count(*)::integer FROM <n>.t'", True),
        ("$$SELECT count(*)::integer FROM <n>.t WHERE '<n>.t' = '<n>.t'$$", False),
        ("$$SELECT count(*)::integer FROM <n>.t -- <n>'s$$", False),
    ],
)
def test_a_function_s_body_may_name_its_own_schema(database, body, alike):
    function = f"CREATE FUNCTION many() RETURNS integer LANGUAGE sql AS {body}"
    assert database.same([TABLE, function], [TABLE, function]) is alike


def test_a_version_table_of_another_name_is_part_of_the_schema(database):
    named = "CREATE TABLE versions (version_num varchar(32))"
    assert not database.same([TABLE], [TABLE, named])


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD CONSTRAINT i UNIQUE {} (a)",
        "CREATE UNIQUE INDEX i ON t (a) {}",
    ],
)
def test_whether_nulls_are_distinct_is_part_of_the_schema(database, sql):
    (version,) = database.server.execute("SHOW server_version_num")[0]
    if int(version) < 150000:
        pytest.skip("PostgreSQL 15 and later have NULLS NOT DISTINCT")
    assert not database.same([TABLE, sql.format("")], [TABLE, sql.format("NULLS NOT DISTINCT")])
