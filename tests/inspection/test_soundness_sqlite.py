"""Whatever makes a difference to Alembic makes one to the fingerprint of a SQLite file."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.inspection.looking import fingerprint, reflected, things
from tests.inspection.verdicts import made, verdicts

NAMES = st.sampled_from(["a", "b"])
MORE_NAMES = ["id", "is_unique", "B c", "größe", "check"]
TYPES = st.sampled_from(
    [
        "",
        "INTEGER",
        "INT",
        "VARCHAR(5)",
        "VARCHAR(6)",
        "NUMERIC(4, 2)",
        "NUMERIC(4, 1)",
        "BOOLEAN",
        "TEXT",
        "DATETIME",
        "JSON",
        "FLOAT",
        "varchar (5)",
    ]
)
DETAILS = st.lists(
    st.sampled_from(
        [
            "NOT NULL",
            "NULL",
            "DEFAULT 1",
            "DEFAULT 'x, UNIQUE'",
            "DEFAULT (1 + 1)",
            "DEFAULT NULL",
            "DEFAULT '1'",
            "UNIQUE",
            "CONSTRAINT uq UNIQUE",
            "CHECK (1 > 0)",
            "CONSTRAINT ck CHECK (1 > 0)",
            "COLLATE NOCASE",
            "REFERENCES parent",
            "REFERENCES parent (id)",
            "REFERENCES parent (id) ON DELETE CASCADE",
            "AS (1 + 1)",
            "GENERATED ALWAYS AS (1 + 1) STORED",
            "/* UNIQUE */",
            "-- CHECK (1 > 2)\n",
            "PRIMARY KEY",
        ]
    ),
    max_size=2,
    unique=True,
)
QUOTES = st.sampled_from(['"{}"', "[{}]", "`{}`"])
SPACE = st.sampled_from([" ", "\n\t", " /* x */ "])


@st.composite
def columns(draw: st.DrawFn) -> list[str]:
    """Return ``a``, ``b`` and maybe more, in any order."""
    names = ["a", "b", *draw(st.lists(st.sampled_from(MORE_NAMES), max_size=2, unique=True))]
    return [
        draw(SPACE).join([draw(QUOTES).format(name), draw(TYPES), *draw(DETAILS)])
        for name in draw(st.permutations(names))
    ]


@st.composite
def constraints(draw: st.DrawFn) -> str:
    on = ", ".join(f'"{name}"' for name in draw(st.lists(NAMES, min_size=1, unique=True)))
    one = draw(NAMES)
    kinds = f"""PRIMARY KEY ({on})|UNIQUE ({on})|unique({on})|CHECK ({one} > 0)
        |CHECK ("{one}" IN ('a', 'b'))|FOREIGN KEY ({one}) REFERENCES parent (id)
        |FOREIGN KEY ("{one}") REFERENCES parent (id) ON UPDATE CASCADE
        |FOREIGN KEY({one}) REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED"""
    named = draw(st.sampled_from(["", "CONSTRAINT c ", 'CONSTRAINT "c d" ']))
    return named + draw(st.sampled_from(kinds.split("|")))


@st.composite
def indexes(draw: st.DrawFn) -> str:
    unique = draw(st.sampled_from(["", "UNIQUE "]))
    on = draw(st.sampled_from(['"{}"', '"{}" DESC', 'lower("{}")', '"{}" COLLATE NOCASE']))
    where = draw(st.sampled_from(["", " WHERE 1 > 0", ' WHERE "a" IS NULL']))
    return f"CREATE {unique}INDEX ix ON {{}} ({on.format(draw(NAMES))}){where}"


TABLES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["t", '"t"', '"is_unique"', "is_unique", "[t]", '"my check"']),
        "head": st.sampled_from([" (\n", "(", " ("]),
        "columns": columns(),
        "constraints": st.lists(constraints(), max_size=2),
        "between": st.sampled_from([", ", ",\n\t", ","]),
        "options": st.sampled_from(["", "", " WITHOUT ROWID", " STRICT"]),
        "indexes": st.lists(indexes(), max_size=1),
    }
)


def written(table: dict[str, Any]) -> str:
    body = table["between"].join([*table["columns"], *table["constraints"]])
    create = f"CREATE TABLE {table['name']}{table['head']}{body}\n){table['options']}"
    return ";\n".join([create, *(index.format(table["name"]) for index in table["indexes"])])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Return a schema and the same with one change."""
    first = draw(TABLES)
    key = draw(st.sampled_from(["columns", "constraints", *sorted(first)]))
    given = {**first, key: draw(TABLES)[key]}
    if key in ("columns", "constraints") and first[key]:
        at = draw(st.integers(0, len(first[key]) - 1))
        given[key] = [*first[key][:at], *given[key][:1], *first[key][at + 1 :]]
    return written(first), written(given)


OTHER = sa.MetaData()
sa.Table("parent", OTHER, sa.Column("id", sa.Integer, primary_key=True))
sa.Table(
    "t",
    OTHER,
    sa.Column("id", sa.Integer, primary_key=True, server_default="7"),
    sa.Column("a", sa.String(5), sa.ForeignKey("parent.id"), nullable=False, unique=True),
    sa.Column("b", sa.Numeric(4, 2), server_default=sa.text("1 + 1"), index=True),
    sa.CheckConstraint("id > 0", "c"),
)


def check(first: str, second: str) -> bool:
    """Where Alembic sees a difference, we must; tell whether it does."""
    with TemporaryDirectory() as folder:
        parent = "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
        try:
            urls = [
                made(Path(folder) / f"{number}.db", parent + sql)
                for number, sql in enumerate((first, second))
            ]
            models = [*map(reflected, urls), OTHER]
        except (sqlite3.Error, sa.exc.SQLAlchemyError):
            reject()
        verdict, other = (verdicts(url, models) for url in urls)
        before, after = map(fingerprint, urls)
        assert (before == after) == (things(urls[0]) == things(urls[1]))
        if verdict != other:
            assert before != after, (first, second)
        return verdict != other


@pytest.mark.filterwarnings("ignore")  # SQLAlchemy's, of what it can't reflect
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs())
def test_where_alembic_sees_a_difference_fingerprints_differ(pair):
    event("seen" if check(*pair) else "not seen")
