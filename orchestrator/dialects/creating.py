"""SQL that makes a target's database or schema, and takes it away again where it is empty."""

from dataclasses import dataclass

from orchestrator.dialects import mysql_schema, postgresql_schema


@dataclass(frozen=True, slots=True)
class Creation:
    """How a database or schema is to be made. What is ``None`` is left to the server."""

    owner: str | None = None
    """PostgreSQL's."""
    charset: str | None = None
    collation: str | None = None


@dataclass(frozen=True, slots=True)
class Making:
    """A database or schema that is not there, and what makes it."""

    what: str
    """``schema acme``, ``database acme``."""
    key: str
    """SQL for the key of a lock that all who make or take it away hold."""
    there: str
    """SQL that returns a row where it is there already."""
    sql: str


def schema_of(name: str, creation: Creation) -> Making:
    """Make a schema of PostgreSQL, under the lock that its migrations take."""
    text, quoted = _text(name), postgresql_schema.quoted(name)
    owner = "" if creation.owner is None else _authorization(creation.owner)
    return Making(
        f"schema {name}",
        f"SELECT hashtextextended('orchestrator:' || {text}, 0)",
        f"SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {text}",
        f"CREATE SCHEMA {quoted}{owner}",
    )


def postgresql_database_of(name: str, creation: Creation) -> Making:
    """Make a database of PostgreSQL, asked for in another one."""
    text, quoted = _text(name), postgresql_schema.quoted(name)
    sql = f"CREATE DATABASE {quoted}"
    if creation.owner is not None:
        sql += f" OWNER {postgresql_schema.quoted(creation.owner)}"
    if creation.charset is not None or creation.collation is not None:
        sql += " TEMPLATE template0"  # any other has texts of its own encoding
    if creation.charset is not None:
        sql += f" ENCODING {_text(creation.charset)}"
    if creation.collation is not None:
        collation = _text(creation.collation)
        sql += f" LC_COLLATE {collation} LC_CTYPE {collation}"
    return Making(
        f"database {name}",
        f"SELECT hashtextextended('orchestrator:database:' || {text}, 0)",
        f"SELECT 1 FROM pg_catalog.pg_database WHERE datname = {text}",
        sql,
    )


def mysql_database_of(name: str, creation: Creation) -> Making:
    """Make a database of MySQL or MariaDB, under the lock that its migrations take."""
    text = f"CONVERT({mysql_schema.literal(name)} USING utf8mb4)"
    folded = f"IF(@@lower_case_table_names = 0, {text}, LOWER({text}))"
    sql = f"CREATE DATABASE {mysql_schema.quoted(name)}"
    if creation.charset is not None:
        sql += f" CHARACTER SET {mysql_schema.quoted(creation.charset)}"
    if creation.collation is not None:
        sql += f" COLLATE {mysql_schema.quoted(creation.collation)}"
    return Making(
        f"database {name}",
        f"SELECT CONCAT('orchestrator:', LEFT(SHA2({folded}, 256), 40))",
        f"SELECT 1 FROM information_schema.schemata WHERE schema_name = {folded}",
        sql,
    )


def postgresql_remains(version_table: str) -> str:
    """SQL that returns a row for whatever is in the session's database but a version table."""
    own = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    return (
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
        f" ON n.oid = c.relnamespace WHERE {own} AND c.relname NOT IN"
        f" ({_text(version_table)}, {_text(version_table + '_pkc')}) UNION ALL "
        "SELECT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n"
        f" ON n.oid = p.pronamespace WHERE {own} UNION ALL "
        "SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n"
        f" ON n.oid = t.typnamespace WHERE {own} AND t.typtype IN ('e', 'd', 'r') UNION ALL "
        f"SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE {own} AND n.nspname <> 'public'"
    )


_HERE = "IF(@@lower_case_table_names = 0, DATABASE(), LOWER(DATABASE()))"
MYSQL_CODE_REMAINS = (
    f"SELECT routine_name FROM information_schema.routines WHERE routine_schema = {_HERE}"
    " UNION ALL "
    f"SELECT event_name FROM information_schema.events WHERE event_schema = {_HERE}"
)
"""SQL that returns a row for each routine and event of the session's database."""


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _authorization(owner: str) -> str:
    return f" AUTHORIZATION {postgresql_schema.quoted(owner)}"
