"""What is read of PostgreSQL databases, and of those that can't be read."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.dialects import Fault, Timeouts
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Source
from tests.inspection.looking import fingerprint, look, place, things
from tests.inspection.postgresql_database import Database
from tests.servers import Postgres, unique

VERSIONED = (
    "CREATE TABLE <s>.alembic_version (version_num varchar(32))",
    "INSERT INTO <s>.alembic_version VALUES ('b2'), ('a1')",
)
TABLE = ("CREATE TABLE public.t (a integer)",)
PASSWORD = "plain"


@pytest.fixture
def databases(postgres: Postgres) -> Iterator[tuple[Database, Database]]:
    """Two databases of the same content."""
    with postgres.databases(unique("one"), unique("two")) as names:
        made = tuple(Database(postgres, name) for name in names)
        for one in made:
            one.run(*TABLE)
        yield made[0], made[1]


@pytest.fixture
def reader(postgres: Postgres) -> Iterator[str]:
    """A role that may connect, and no more."""
    name = unique("reader")
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    yield name
    postgres.execute(f"DROP ROLE {name}")


def test_two_databases_of_the_same_content_have_one_fingerprint(databases):
    one, two = databases
    two.run("CREATE TABLE alembic_version (version_num text)", "INSERT INTO t VALUES (1)")
    assert fingerprint(one.url) == fingerprint(two.url)


COUNTED = (
    "CREATE SCHEMA more",
    "CREATE TABLE other.t (a integer)",
    "COMMENT ON COLUMN other.s.a IS 'x'",
    "ALTER TABLE other.s ADD FOREIGN KEY (a) REFERENCES public.keys",
    "CREATE TABLE public.more (a integer)",
    "ALTER DATABASE <d> SET search_path TO public, other",
    "ALTER DATABASE <d> SET DateStyle TO 'German'",
    "ALTER DATABASE <d> SET TimeZone TO 'Asia/Tokyo'",
    "ALTER DATABASE <d> SET IntervalStyle TO 'iso_8601'",
    "ALTER DATABASE <d> SET quote_all_identifiers TO on",
)


def test_all_schemas_of_a_database_and_its_settings_count(databases):
    one, _ = databases
    one.run("CREATE SCHEMA other", "CREATE TABLE other.s (a integer)")
    one.run("CREATE TABLE public.keys (id integer PRIMARY KEY)")
    before = fingerprint(one.url), set(things(one.url))
    for sql in COUNTED:
        one.run(sql.replace("<d>", one.name))
        after = fingerprint(one.url), set(things(one.url))
        assert after[0] != before[0], sql
        assert after[1] != before[1], sql
        before = after


def test_settings_by_which_alembic_reads_a_default_count_for_a_schema(databases):
    for database in databases:
        database.make({"acme": TABLE[:0]})
    one, two = databases
    assert one.fingerprints("acme") == two.fingerprints("acme")
    two.run(f"ALTER DATABASE {two.name} SET DateStyle TO 'ISO, DMY'")
    assert one.fingerprints("acme") != two.fingerprints("acme")


def test_the_encoding_of_a_database_counts(postgres, databases):
    one, _ = databases
    name = unique("latin")
    made = Database(postgres, name)
    try:
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        made.run(*TABLE, "COMMENT ON TABLE t IS 'ü'")
        one.run("COMMENT ON TABLE t IS 'ü'")
        assert fingerprint(made.url) != fingerprint(one.url)
        assert ("encoding", "LATIN1") in [d for thing in things(made.url) for d in thing.details]
    finally:
        postgres.drop(name)


def test_where_unqualified_names_lead_to_may_have_any_name(databases, postgres):
    one, two = databases
    user = postgres.quote(postgres.user)
    two.run("DROP SCHEMA public CASCADE", f"CREATE SCHEMA {user}", f"CREATE TABLE {user}.t (a int)")
    assert fingerprint(one.url) == fingerprint(two.url)


def test_unqualified_names_may_lead_nowhere(databases):
    one, two = databases
    for database in databases:
        database.run("ALTER SCHEMA public RENAME TO private")
    assert not look(one.url).has_version_table
    assert fingerprint(one.url) == fingerprint(two.url)


def test_heads_are_read_in_order_with_the_version_of_the_server(databases, postgres):
    one, _ = databases
    one.make({"acme": VERSIONED, "birch": TABLE[:0]})
    (version,) = postgres.execute("SHOW server_version")[0]

    found = one.readings("acme", "birch")

    assert found["acme"].heads == ("a1", "b2")
    assert found["acme"].server == f"PostgreSQL {version.split(' ')[0]}"
    assert not found["birch"].has_version_table
    assert found["birch"].heads == ()
    assert found["birch"].fingerprint == found["acme"].fingerprint


def test_what_can_not_be_read_fails_alone(databases, reader, postgres):
    one, _ = databases
    one.make(dict.fromkeys(("good", "unseen", "unread", "odd"), VERSIONED))
    one.make({"bare": ()})
    one.run(
        *(
            f"GRANT USAGE ON SCHEMA {name} TO {reader}"
            for name in ("good", "unread", "bare", "odd")
        ),
        *(f"GRANT SELECT ON {n}.alembic_version TO {reader}" for n in ("good", "unseen", "odd")),
        "ALTER TABLE odd.alembic_version RENAME version_num TO number",
    )
    url = f"postgresql+psycopg://{reader}:{PASSWORD}@{postgres.host}:{postgres.port}/{one.name}"
    schemas = ("good", "bare", "unseen", "unread", "odd", "missing")
    places = [place(url, schema, schema) for schema in schemas]
    places += [
        place(url + "x", "good", "no database"),
        place(url.replace(PASSWORD, "wrong"), "good", "wrong password"),
    ]

    found = {reading.target: reading for reading in fleet.read(places, schemas=True)}
    one.run(f"DROP OWNED BY {reader}")

    assert found["good"].heads == ("a1", "b2")
    assert found["good"].fingerprint == found["bare"].fingerprint is not None
    assert not found["bare"].has_version_table
    assert {target: reading.fault for target, reading in found.items()} == {
        "good": None,
        "bare": None,
        "unseen": Fault.REFUSED,
        "unread": Fault.REFUSED,
        "odd": Fault.OTHER,
        "missing": Fault.MISSING,
        "no database": Fault.MISSING,
        "wrong password": Fault.REFUSED,
    }
    assert "permission denied for unread.alembic_version" in str(found["unread"].failure)
    assert "'missing'" in str(found["missing"].failure)


def _hasty(url: str, schema: str) -> Source:
    return replace(place(url, schema, schema), timeouts=Timeouts(0.05))


def test_a_locked_table_keeps_only_its_own_schema_from_being_read(databases):
    one, _ = databases
    view = ("CREATE TABLE t (a integer)", "CREATE VIEW v AS SELECT a FROM t")
    names = [f"tenant_{n}" for n in range(9)]
    one.make(dict.fromkeys(names, (*VERSIONED, *view)))
    with one.server.connect(one.name) as holder:
        holder.execute("BEGIN; LOCK TABLE tenant_3.t")
        readings = fleet.read([_hasty(one.url, name) for name in names], schemas=True)
        found = {reading.target: reading for reading in readings}

    assert {name for name in names if found[name].failure} == {"tenant_3"}
    assert found["tenant_3"].fault is Fault.LOCK_WAIT
    assert len({found[name].fingerprint for name in names if name != "tenant_3"}) == 1


def test_a_locked_version_table_keeps_only_its_own_schema_from_being_read(databases):
    one, _ = databases
    names = [f"tenant_{n}" for n in range(9)]
    one.make(dict.fromkeys(names, VERSIONED))
    with one.server.connect(one.name) as holder:
        holder.execute("BEGIN; LOCK TABLE tenant_3.alembic_version")
        readings = fleet.read([_hasty(one.url, name) for name in names], schemas=True)
        found = {reading.target: reading for reading in readings}

    assert {name for name in names if found[name].fault} == {"tenant_3"}
    assert found["tenant_3"].fault is Fault.LOCK_WAIT
    assert found["tenant_4"].heads == ("a1", "b2")
