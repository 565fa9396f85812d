"""Fingerprints of SQLite files: what they see, what they don't, and what people are shown."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.pool import NullPool

from orchestrator.dialects import Fault, Timeouts, sqlite_schema
from orchestrator.fleet.schema import Thing
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Reading
from tests.inspection.looking import fingerprint, look, place, reflected, things
from tests.inspection.sqlite_mutations import BASE, HARMLESS, HOSTILE, MUTATIONS, Change
from tests.inspection.verdicts import made, verdicts

Looks = Mapping[str, tuple[Reading, tuple[Thing, ...]]]


def changed(change: Change) -> str:
    if isinstance(change, str):
        return BASE + change
    assert BASE.count(change[0]) == 1, change
    return BASE.replace(*change)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Looks:
    """One file for each change, all read at once."""
    folder = tmp_path_factory.mktemp("changes")
    places = [
        place(made(folder / f"{number}.db", changed(change)), target=what)
        for number, (what, change) in enumerate({**MUTATIONS, **HARMLESS}.items())
    ]
    readings = {reading.target: reading for reading in fleet.read(places, schemas=True)}
    found = fleet.things(places)
    return {what: (readings[what], shown(found[what])) for what in readings}


def shown(found: tuple[Thing, ...] | Exception) -> tuple[Thing, ...]:
    assert not isinstance(found, Exception), found
    return found


def told(things: tuple[Thing, ...]) -> dict[tuple[str, str, str], dict[str, str]]:
    return {
        (thing.kind, thing.table, thing.name): {
            key: value for key, value in thing.details if key != "written"
        }
        for thing in things
    }


def test_every_single_change_changes_the_fingerprint(seen):
    assert [reading.failure for reading, _ in seen.values() if reading.failure] == []
    base = seen["nothing"][0].fingerprint
    assert [what for what in MUTATIONS if seen[what][0].fingerprint == base] == []

    count = Counter(seen[what][0].fingerprint for what in MUTATIONS)
    assert [what for what in MUTATIONS if count[seen[what][0].fingerprint] > 1] == []


def test_what_alembic_can_not_see_changes_nothing(seen):
    base = seen["nothing"][0].fingerprint
    assert [what for what in HARMLESS if seen[what][0].fingerprint != base] == []


def test_fingerprints_are_equal_if_and_only_if_people_are_shown_the_same(seen):
    by_things: dict[tuple[Thing, ...], str | None] = {}
    for what, (reading, found) in seen.items():
        assert (
            by_things.setdefault(tuple(sorted(found)), reading.fingerprint) == reading.fingerprint
        )
        if what in HARMLESS:
            assert found == seen["nothing"][1], what


def test_nearly_every_change_is_told_in_more_than_the_text(seen):
    base = told(seen["nothing"][1])
    alike = {what for what in MUTATIONS if told(seen[what][1]) == base}
    assert alike == set()


def test_heads_are_read_beside(seen):
    assert seen["nothing"][0].heads == ("base",)
    assert seen["two heads"][0].heads == ("another", "base")
    assert (seen["no heads"][0].heads, seen["no heads"][0].has_version_table) == ((), True)
    assert not seen["no version table"][0].has_version_table
    assert seen["another version table"][0].has_version_table


def test_everything_is_taken_apart(seen):
    found = told(seen["nothing"][1])
    named = [
        ("primary key", "orders", "pk"),
        ("unique constraint", "customers", "uq_email"),
        ("check constraint", "customers", "ck_name"),
        ("index", "customers", "ix_name"),
        ("index", "customers", "ix_lower"),
        ("index", "customers", "ix_part"),
        ("unique index", "customers", "ux_raw"),
        ("trigger", "plain", "tr"),
        ("table", "", "plain"),
        ("table", "", "pairs"),
    ]
    assert [*map(found.__getitem__, named)] == [
        {"definition": "(id, line)"},
        {"definition": "(email, name)"},
        {"definition": "(name <> 'x')"},
        {"on": "(name, age DESC)"},
        {"on": "(lower(name) COLLATE NOCASE)"},
        {"on": "(age) WHERE age > 3"},
        {"on": "(raw)"},
        {
            "definition": "CREATE TRIGGER tr AFTER INSERT ON plain"
            " WHEN new.a > 1 BEGIN DELETE FROM pairs; END"
        },
        {"options": "STRICT"},
        {"options": "WITHOUT ROWID"},
    ]
    assert found["foreign key", "orders", "fk_other"] == {
        "definition": "(other) REFERENCES customers (id)"
        " ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED"
    }
    assert "alembic_version" not in {name for _, _, name in found}


COLUMNS = [
    {"type": "INTEGER", "options": "PRIMARY KEY AUTOINCREMENT"},
    {"type": "VARCHAR(100)", "nullable": "no", "collation": "NOCASE"},
    {"type": "VARCHAR(50)", "default": "'nobody'"},
    {"type": "SMALLINT", "default": "5", "options": "CONSTRAINT ck_age CHECK (age > 0)"},
    {"type": "DECIMAL(10, 2)", "nullable": "no", "default": "-1.5"},
    {"type": "DATETIME", "default": "CURRENT_TIMESTAMP"},
    {"type": "DATE", "default": "(date('now'))"},
    {"type": "BLOB"},
    {"type": "VARCHAR(3)", "options": "CHECK (state IN ('new', 'old'))"},
    {"type": "INTEGER", "computed": "(age * 2) STORED"},
    {"type": "INTEGER", "computed": "(age * 2)"},
    {"type": "TEXT", "options": "UNIQUE ON CONFLICT IGNORE"},
]


def test_columns_are_taken_apart(seen):
    columns = [
        dict(thing.details)
        for thing in seen["nothing"][1]
        if (thing.kind, thing.table) == ("column", "customers")
    ]
    assert columns == [
        {"nullable": "yes", **details, "position": str(at)} for at, details in enumerate(COLUMNS, 1)
    ]


def test_hostile_texts_are_taken_apart(tmp_path):
    found = told(things(made(tmp_path / "x.db", HOSTILE)))
    table = 'o"dd, (t) -- x'
    columns = {name: details for (kind, _, name), details in found.items() if kind == "column"}
    positions = [columns[name].pop("position") for name in columns]
    assert positions == [str(at) for at in range(1, 9)]
    assert columns == {
        'a "b': {"type": "INTEGER", "nullable": "no", "default": r"'it''s, ( -- /* \'"},
        "c d": {"type": "TEXT", "nullable": "yes", "default": "( 'x' || ',)' )"},
        "e`f": {
            "type": "VARCHAR( 10 , 2 )",
            "nullable": "yes",
            "default": "-5",
            "options": "CHECK (`e``f` <> ')' )",
        },
        "größe": {"type": '"my, type"(3)', "nullable": "yes", "default": '"dq"'},
        "plain": {"type": "none", "nullable": "yes"},
        "x": {
            "type": "UNSIGNED BIG INT",
            "nullable": "yes",
            "default": "x'ff'",
            "collation": "NOCASE",
            "options": "NULL",
        },
        "up": {
            "type": "INTEGER",
            "nullable": "yes",
            "default": "1e-5",
            "options": 'CONSTRAINT "fk 1" REFERENCES up ("a, b") ON DELETE SET DEFAULT',
        },
        "g": {"type": "none", "nullable": "yes", "computed": "(plain || '),') VIRTUAL"},
    }
    upward = '(x) REFERENCES "o""dd, (t) -- x" (x) ON UPDATE CASCADE'
    assert {key: details for key, details in found.items() if key[0] != "column"} == {
        ("table", "", table): {},
        ("index", table, "ix ( 1"): {"on": "( plain DESC , lower([c d]) ) WHERE x = '('"},
        ("check constraint", table, "ck (1"): {"definition": "(\"a \"\"b\" > 0 and '--' <> ',')"},
        ("unique constraint", table, "uq`1"): {"definition": '("a ""b", plain)'},
        ("foreign key", table, upward): {"definition": upward},
        ("check constraint", table, "(x>1)"): {"definition": "(x>1)"},
        ("view", "", "v ("): {"definition": "CREATE VIEW \"v (\" AS SELECT '--  x' AS a"},
    }


def test_a_table_that_batch_mode_made_anew_is_the_same(tmp_path):
    table = "CREATE TABLE {} (\n\tid INTEGER NOT NULL, \n\tname VARCHAR(9), \n\tPRIMARY KEY (id)\n)"
    plain, batched = (made(tmp_path / name, table.format("t")) for name in ("1.db", "2.db"))
    engine = sa.create_engine(batched, poolclass=NullPool)
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("t", recreate="always") as batch:
            batch.alter_column("name", type_=sa.String(9))
    with closing(sqlite3.connect(tmp_path / "2.db")) as connection:
        ((sql,),) = connection.execute("SELECT sql FROM sqlite_master")
    assert sql.startswith('CREATE TABLE "t" (\n')
    assert fingerprint(batched) == fingerprint(plain)


@pytest.mark.parametrize(
    "table",
    [
        'CREATE TABLE {} (id INTEGER, "a" TEXT UNIQUE)',
        'CREATE TABLE {} ("id" INTEGER, "a" TEXT UNIQUE, b INTEGER UNIQUE)',
        'CREATE TABLE {} (\n\tid INTEGER, "a" TEXT UNIQUE, UNIQUE (id, a))',
        "CREATE TABLE {}(\"a\" TEXT, CHECK (a > 'x'), CONSTRAINT ck CHECK (a > 'y'))",
        "CREATE TABLE {} (a, b, UNIQUE (a, b))",
    ],
)
@pytest.mark.parametrize("name", ["t", "is_unique", "check", "mycheck", "my_UNIQUE", "primary"])
def test_quotes_round_a_name_make_a_difference_where_they_do_to_alembic(tmp_path, table, name):
    bare, quotes = (name if name not in ("check", "primary") else f"[{name}]"), f'"{name}"'
    urls = [
        made(tmp_path / f"{number}.db", table.format(written))
        for number, written in enumerate((bare, quotes))
    ]
    models = [*map(reflected, urls), sa.MetaData()]
    first, second = (verdicts(url, models) for url in urls)
    if fingerprint(urls[0]) == fingerprint(urls[1]):
        assert first == second


@pytest.mark.parametrize("name", ["is_unique", "MyCheck", "my_UNIQUE"])
def test_quotes_stay_round_a_name_that_ends_like_a_constraint(name):
    # Without them, some version of SQLAlchemy may take it for one.
    row = ("table", name, name, f'CREATE TABLE "{name}" (\n\tid INTEGER\n)')
    assert sqlite_schema.canonical([row], "v") == [row]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "CREATE TABLE t (a); CREATE INDEX ix ON t (a)",
            'CREATE TABLE t (a); CREATE INDEX "ix" ON t ("a")',
        ),
        (
            "CREATE TABLE t (\n a, \n b, \n CONSTRAINT u UNIQUE (a), \n CONSTRAINT v UNIQUE (b)\n)",
            "CREATE TABLE t (\n a, \n b, \n CONSTRAINT v UNIQUE (b), \n CONSTRAINT u UNIQUE (a)\n)",
        ),
        (
            "CREATE TABLE t (a INTEGER, b TEXT)",
            "CREATE TABLE t (a INTEGER); ALTER TABLE t ADD COLUMN b TEXT",
        ),
        ("CREATE TABLE t (a INTEGER)", "CREATE TABLE x (a INTEGER); ALTER TABLE x RENAME TO t"),
        (
            "CREATE TABLE t (a INTEGER); CREATE INDEX ix ON t (a) WHERE a > 0",
            "CREATE TABLE t (a integer); CREATE INDEX ix ON t (a) WHERE a > 0",
        ),
    ],
)
def test_words_in_which_sqlalchemy_sees_the_same_make_no_difference(tmp_path, one, other):
    urls = [made(tmp_path / f"{at}.db", sql) for at, sql in enumerate((one, other))]

    assert fingerprint(urls[0]) == fingerprint(urls[1])
    assert set(things(urls[0])) == set(things(urls[1]))


def test_words_in_which_sqlalchemy_sees_something_else_do(tmp_path):
    """Its pattern for a CHECK ends with the line."""
    one, other = (
        made(
            tmp_path / f"{at}.db",
            f"CREATE TABLE t (\n a, \n b, \n CONSTRAINT c CHECK (a > 0{space}AND a < 9)\n)",
        )
        for at, space in enumerate((" ", "\n"))
    )

    assert fingerprint(one) != fingerprint(other)
    assert told(things(one)) == told(things(other))


def test_a_file_that_is_not_there_is_empty_and_is_not_made(tmp_path):
    reading = look(f"sqlite:///{tmp_path}/none.db")
    assert (reading.failure, reading.has_version_table, reading.heads) == (None, False, ())
    assert reading.fingerprint == fingerprint(made(tmp_path / "empty.db", "VACUUM"))
    assert things(f"sqlite:///{tmp_path}/none.db") == ()
    assert [file.name for file in tmp_path.iterdir()] == ["empty.db"]


def test_what_can_not_be_read_fails_alone(tmp_path):
    files = {
        "good 1": made(tmp_path / "1.db", BASE),
        "no version table": made(tmp_path / "2.db", "CREATE TABLE t (a)"),
        "no database": f"sqlite:///{tmp_path}/no.db",
        "a folder": f"sqlite:///{tmp_path}",
        "locked": made(tmp_path / "3.db", BASE),
        "no such column": made(tmp_path / "4.db", "CREATE TABLE alembic_version (a)"),
        "a broken view of versions": made(
            tmp_path / "5.db", "CREATE VIEW alembic_version AS SELECT * FROM nowhere"
        ),
        "a view of versions": made(
            tmp_path / "6.db", "CREATE VIEW alembic_version AS SELECT 'x' AS version_num"
        ),
        "numbers": made(
            tmp_path / "7.db",
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES (12)",
        ),
        "a broken view": made(tmp_path / "8.db", "CREATE VIEW v AS SELECT * FROM nowhere"),
        "good 2": made(tmp_path / "9.db", BASE),
    }
    (tmp_path / "no.db").write_text("This is no database. " * 100)
    places = [
        replace(place(url, target=name), timeouts=Timeouts(0.1)) for name, url in files.items()
    ]
    with closing(sqlite3.connect(tmp_path / "3.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        readings = {reading.target: reading for reading in fleet.read(places, schemas=True)}
        found = fleet.things(places)
    words = {name: reading.failure.message for name, reading in readings.items() if reading.failure}
    assert words == {
        "no database": "file is not a database",
        "a folder": "unable to open database file",
        "locked": "database is locked",
        "no such column": "no such column: version_num",
        "a broken view of versions": "no such table: main.nowhere",
    }
    assert readings["locked"].fault is Fault.LOCK_WAIT
    assert readings["good 1"].fingerprint == readings["good 2"].fingerprint is not None
    assert readings["good 2"].heads == ("base",)
    assert not readings["no version table"].has_version_table
    assert readings["a view of versions"].heads == ("x",)
    assert readings["numbers"].heads == ("12",)
    unshown = {name for name, told in found.items() if isinstance(told, Exception)}
    assert unshown == {"no database", "a folder", "locked"}
