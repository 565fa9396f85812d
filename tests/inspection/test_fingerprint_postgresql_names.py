"""What names its own PostgreSQL schema is the same in every schema; what only looks so is not."""

from collections.abc import Iterator

import pytest

from orchestrator.inspection import fleet
from tests.inspection.looking import place
from tests.inspection.postgresql_database import Database
from tests.inspection.postgresql_mutations import BASE, PUBLIC
from tests.servers import Postgres, unique


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    with postgres.databases(unique("fingerprints")) as (name,):
        made = Database(postgres, name)
        made.run(*PUBLIC)
        yield made


# Each is a part of some name or text in the schemas, or needs quotes, or has a meaning in SQL.
NAMES = ("acme", "a", "e", "customer", "mood", "select", "Te-nant", 'qu"o te', "b\\s", "ü", "A.b")
TEXTS = (
    (
        "CREATE TABLE texts (a text DEFAULT 'a.b', b text DEFAULT E'\\\\a.b''acme.c',"
        " c text CHECK (c <> 'mood.x'))"
    ),
    """COMMENT ON TABLE texts IS 'a.b acme.customer Te-nant.x "Te-nant".x "e".x'""",
)
OWN = (
    (
        "CREATE TABLE own (a regclass DEFAULT '<s>.own', b regtype DEFAULT '<s>.mood',"
        " c <s>.mood[] DEFAULT '{ok}', d text DEFAULT <s>.label() CHECK (d <> <s>.label()))"
    ),
    "CREATE COLLATION plain (locale = 'C')",
    "ALTER TABLE own ADD e text COLLATE plain",
    "CREATE INDEX ix_own ON own (e COLLATE plain) WHERE c = '{sad}'::<s>.mood[]",
    "CREATE VIEW seen AS SELECT o.d, c.id FROM own o JOIN customers c ON c.name = o.d",
    'CREATE TABLE "Own table" (id serial REFERENCES customers)',
)


def test_the_name_of_its_schema_changes_nothing(database):
    database.make(dict.fromkeys(NAMES, (*BASE, *TEXTS, *OWN)))
    found = dict(zip(NAMES, database.fingerprints(*NAMES), strict=True))
    database.drop(*NAMES)
    assert {name: found[name] == found["acme"] for name in NAMES} == dict.fromkeys(NAMES, True)


def test_things_are_told_without_the_name_of_their_schema(database):
    names = ("acme", "Te-nant")
    database.make(dict.fromkeys(names, (*BASE, *OWN)))
    told = fleet.things([place(database.url, name, name) for name in names])
    database.drop(*names)
    assert set(told["acme"]) == set(told["Te-nant"])
    assert "acme" not in str(told["acme"])


DIFFERENT_TEXTS = (
    "CREATE TABLE t (a text DEFAULT '<n>.example.com')",
    "CREATE TABLE t (a text DEFAULT E'it''s \\\\ <n>.b')",
    "CREATE TABLE t (a text DEFAULT '''<n>.b''')",
    "CREATE TABLE t (a text DEFAULT '<n>.b''::regclass')",
    "CREATE TABLE t (a text DEFAULT 'x' || '<n>.b')",
    "CREATE TABLE t (a text CHECK (a <> '<n>.b'))",
    "CREATE TABLE t (a text GENERATED ALWAYS AS ('<n>.b') STORED)",
    'CREATE TABLE t ("<n>.b" integer CHECK ("<n>.b" > 0))',
    "CREATE TABLE t (a text); CREATE INDEX i ON t (a) WHERE a = '<n>.b'",
    "CREATE TABLE t (); COMMENT ON TABLE t IS '<n>.b'",
    "CREATE TYPE m AS ENUM ('<n>.b')",
    "CREATE TYPE m AS ENUM (E'\\\\''<n>.b')",
    "CREATE DOMAIN d AS text DEFAULT '<n>.b'",
    "CREATE VIEW v AS SELECT '<n>.b'::text AS a",
    """CREATE TABLE t (a integer); COMMENT ON COLUMN t.a IS '"<n>".b'""",
    'CREATE TABLE <s>."<n>" (a integer)',
)


@pytest.mark.parametrize("sql", DIFFERENT_TEXTS)
@pytest.mark.parametrize("names", [("acme", "birch"), ("A-cme", "B-irch")])
def test_the_name_of_its_schema_in_a_text_is_a_text(database, sql, names):
    assert not database.same([sql], [sql], names)


LOWER = "CREATE FUNCTION lower(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'"
DIFFERENT = {
    "a type": (
        "CREATE TYPE currency AS ENUM ('eur', 'usd'); CREATE TABLE t (a currency)",
        "CREATE TYPE currency AS ENUM ('eur', 'usd'); CREATE TABLE t (a public.currency)",
    ),
    "a sequence": (
        "CREATE SEQUENCE numbers; CREATE TABLE t (a integer DEFAULT nextval('numbers'))",
        "CREATE SEQUENCE numbers; CREATE TABLE t (a integer DEFAULT nextval('public.numbers'))",
    ),
    "a table": (
        (
            "CREATE TABLE elsewhere (id integer PRIMARY KEY);"
            " CREATE TABLE t (a integer CONSTRAINT f REFERENCES elsewhere)"
        ),
        (
            "CREATE TABLE elsewhere (id integer PRIMARY KEY);"
            " CREATE TABLE t (a integer CONSTRAINT f REFERENCES public.elsewhere)"
        ),
    ),
    "a view of a table": (
        "CREATE TABLE elsewhere (id integer); CREATE VIEW v AS SELECT id FROM elsewhere",
        "CREATE TABLE elsewhere (id integer); CREATE VIEW v AS SELECT id FROM public.elsewhere",
    ),
    "a function of the server's": (
        f"{LOWER}; CREATE TABLE t (a text DEFAULT <s>.lower('A') || <s>.lower('B'))",
        f"{LOWER}; CREATE TABLE t (a text DEFAULT lower('A') || <s>.lower('B'))",
    ),
    "a type of the server's": (
        "CREATE DOMAIN date AS text; CREATE TABLE t (a <s>.date)",
        "CREATE DOMAIN date AS text; CREATE TABLE t (a date)",
    ),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_its_own_is_not_that_of_another_schema(database, what):
    left, right = DIFFERENT[what]
    assert database.same([left], [left])
    assert not database.same([left], [right])


def test_a_schema_and_a_table_of_the_same_name_are_not_confused(database):
    table = "CREATE TABLE t (id integer)"
    view = "CREATE VIEW v AS SELECT <n>.id FROM t aa, t bb"
    assert not database.same([table, view], [table, view], ("aa", "bb"))


def test_a_schema_and_a_row_of_the_same_name_are_not_confused(database):
    given = (
        "CREATE TABLE t (id integer)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW WHEN (<n>.id > 1) EXECUTE FUNCTION f()",
    )
    assert not database.same(given, given, ("old", "new"))
