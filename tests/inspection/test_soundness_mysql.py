"""Whatever makes a difference to Alembic makes one to the fingerprint of a MariaDB database."""

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql

from tests.effort import examples
from tests.inspection.looking import fingerprint, reflected, things
from tests.inspection.mysql_databases import made, run
from tests.inspection.verdicts import verdicts
from tests.servers import MariaDB

NAMES = st.sampled_from(["a", "b"])
MORE_NAMES = ["id", "B c", "größe", "x`y", "key", "d,\n  KEY e"]
NUMBERS = [
    "int",
    "int(5)",
    "int unsigned",
    "int(5) zerofill",
    "bigint",
    "tinyint(1)",
    "decimal(4,2)",
    "decimal(4,1)",
    "decimal(4,2) unsigned",
    "double",
    "float(5,2)",
]
TEXTS = [
    "varchar(5)",
    "varchar(6)",
    "char(5)",
    "text",
    "varchar(5) CHARACTER SET latin1",
    "varchar(5) COLLATE utf8mb4_bin",
    "enum('x','y')",
    "enum('y','x')",
    "enum('x','it''s, `a`')",
    "set('x','y')",
]
OTHERS = ["datetime", "datetime(3)", "timestamp NULL", "date", "json", "varbinary(5)", "bit(3)"]
DEFAULTS = {
    **{type_: ["1", "2", "(1 + 1)", "NULL", "(`c` + 1)"] for type_ in NUMBERS},
    **{type_: ["'x'", "'y'", "(concat('x'))", "NULL"] for type_ in TEXTS},
    **{type_: ["current_timestamp()", "'2001-01-01'", "NULL", "'1'"] for type_ in OTHERS},
}
DETAILS = [
    "COMMENT 'x'",
    "COMMENT 'it''s \\\\ ) ENGINE=InnoDB AUTO_INCREMENT=5'",
    "COMMENT 'a,\n  KEY `k` (`b`)'",
    "INVISIBLE",
    "CHECK (1 > 0)",
    "ON UPDATE current_timestamp()",
]


@st.composite
def column(draw: st.DrawFn, name: str) -> str:
    type_ = draw(st.sampled_from([*NUMBERS, *TEXTS, *OTHERS]))
    words = [type_, draw(st.sampled_from(["", "NOT NULL", "NULL"]))]
    end = draw(st.sampled_from(["", "default", "", "default", "computed"]))
    if end == "default":
        words.append(f"DEFAULT {draw(st.sampled_from(DEFAULTS[type_]))}")
    if end == "computed":
        words = [type_, f"AS (c + {draw(st.integers(1, 2))})"]
        words.append(draw(st.sampled_from(["VIRTUAL", "STORED"])))
    if draw(st.booleans()):
        words.append(draw(st.sampled_from(DETAILS)))
    return f"`{name.replace('`', '``')}` {' '.join(words)}"


@st.composite
def columns(draw: st.DrawFn) -> list[str]:
    """Return ``a``, ``b`` and maybe more, in any order."""
    names = ["a", "b", *draw(st.lists(st.sampled_from(MORE_NAMES), max_size=2, unique=True))]
    return [draw(column(name)) for name in draw(st.permutations(names))]


@st.composite
def keys(draw: st.DrawFn) -> str:
    one, name = draw(NAMES), draw(st.sampled_from(["", "`k`", "`k,\n  l`"]))
    on = ", ".join(f"{one}{draw(st.sampled_from(['', ' DESC']))}" for one in draw(SOME))
    constraint = f"CONSTRAINT {name}" if name else ""
    kinds = [
        f"PRIMARY KEY ({on})",
        f"UNIQUE KEY {name} ({on})",
        f"KEY {name} ({on})",
        f"KEY {name} ({one}(3))",
        f"KEY {name} ({on}) COMMENT 'it''s'",
        f"KEY {name} ({on}) IGNORED",
        f"FULLTEXT KEY {name} ({one})",
        f"{constraint} CHECK ({one} > 0)",
        f"{constraint} CHECK ({one} > 1)",
        *(f"{constraint} FOREIGN KEY ({one}) REFERENCES parent (id) {how}" for how in ACTIONS),
        f"{constraint} FOREIGN KEY ({one}) REFERENCES parent (other)",
    ]
    return draw(st.sampled_from(kinds))


SOME = st.lists(NAMES, min_size=1, unique=True)
ACTIONS = ["", "", "ON DELETE CASCADE", "ON DELETE SET NULL", "ON UPDATE CASCADE"]
OPTIONS = [
    "",
    "",
    "COMMENT='x'",
    "COMMENT=' AUTO_INCREMENT=5'",
    "COLLATE=utf8mb4_bin",
    "CHARACTER SET=latin1",
    "ENGINE=MyISAM",
    "AUTO_INCREMENT=7",
    "ROW_FORMAT=COMPRESSED",
    "WITH SYSTEM VERSIONING",
    "PARTITION BY HASH (c) PARTITIONS 2",
]
FIRST = ["c int NOT NULL", "c int PRIMARY KEY AUTO_INCREMENT", "c int KEY", "c bigint PRIMARY KEY"]
TABLES = st.fixed_dictionaries(
    {
        "first": st.sampled_from(FIRST),
        "columns": columns(),
        "keys": st.lists(keys(), max_size=2),
        "options": st.sampled_from(OPTIONS),
    }
)
PARENT = "CREATE TABLE parent (id int PRIMARY KEY, other int, KEY (other))"


def written(table: dict[str, Any]) -> str:
    body = [table["first"], *table["columns"], *table["keys"]]
    return f"CREATE TABLE t ({', '.join(body)}) {table['options']}"


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Return a table and the same with one change."""
    first = draw(TABLES)
    key = draw(st.sampled_from(["columns", "keys", *sorted(first)]))
    other = draw(TABLES)[key]
    if key in ("columns", "keys") and first[key] and other:
        at = draw(st.integers(0, len(first[key]) - 1))
        other = [*first[key][:at], *other[:1], *first[key][at + 1 :]]
    return written(first), written({**first, key: other})


OTHER = sa.MetaData()
sa.Table("parent", OTHER, sa.Column("id", sa.Integer, primary_key=True))
sa.Table(
    "t",
    OTHER,
    sa.Column("c", sa.Integer, primary_key=True),
    sa.Column("a", sa.String(5), sa.ForeignKey("parent.id"), nullable=False, comment="x"),
    sa.Column("b", mysql.INTEGER(unsigned=True), server_default=sa.text("1"), index=True),
    sa.Column("id", sa.Enum("x", "y"), unique=True),
    comment="x",
)


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def databases(request: pytest.FixtureRequest) -> Iterator[tuple[MariaDB, list[str]]]:
    server: MariaDB = request.getfixturevalue(request.param)
    with made(server, {"first": "DO 1", "second": "DO 1"}) as names:
        yield server, list(names.values())


def check(server: MariaDB, names: list[str], pair: tuple[str, str]) -> bool:
    """Where Alembic sees a difference, we must; tell whether it does."""
    try:
        for name, sql in zip(names, pair, strict=True):
            run(server, f"DROP TABLE IF EXISTS t, parent; {PARENT}; {sql}", name)
    except pymysql.Error:
        reject()
    urls = [server.url(name) for name in names]
    models = [*map(reflected, urls), OTHER]
    verdict, other = (verdicts(url, models) for url in urls)
    before, after = map(fingerprint, urls)
    assert (before == after) == (things(urls[0]) == things(urls[1])), pair
    if verdict != other:
        assert before != after, pair
    return verdict != other


@pytest.mark.filterwarnings("ignore")  # SQLAlchemy's, of what it can't reflect
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(pair=pairs())
def test_where_alembic_sees_a_difference_fingerprints_differ(databases, pair):
    event("seen" if check(*databases, pair) else "not seen")
