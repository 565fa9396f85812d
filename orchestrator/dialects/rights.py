"""Which rights a migration wants, and which of them a server's own words lack. Pure."""

import re
from collections.abc import Iterable, Sequence

MYSQL_WANTED = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "ALTER",
    "DROP",
    "INDEX",
    "REFERENCES",
)
"""What Alembic's operations and its version table take."""
MYSQL_GRANTS = "SHOW GRANTS FOR CURRENT_USER"
_GRANT = re.compile(
    r"(?P<verb>GRANT|REVOKE) (?P<rights>.+?) ON (?P<on>(?:`(?:[^`]|``)*`|\*)\.\S+) (?:TO|FROM) ",
    re.IGNORECASE | re.DOTALL,
)
_ROLE = re.compile(r"GRANT `?[^ ]+`? TO ", re.IGNORECASE)

# Names of rights that are missing in one schema, for its tables and its version table.
_POSTGRESQL = """
SELECT 'USAGE on schema ' || n.nspname FROM pg_catalog.pg_namespace n
 WHERE n.nspname = {schema} AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT 'CREATE on schema ' || n.nspname FROM pg_catalog.pg_namespace n
 WHERE n.nspname = {schema} AND NOT has_schema_privilege(n.oid, 'CREATE')
UNION ALL
SELECT 'ownership of ' || min(c.relname) || CASE WHEN count(*) > 1
       THEN ' and ' || count(*) - 1 || ' more' ELSE '' END || ', to alter'
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
   AND NOT pg_has_role(c.relowner, 'USAGE')
HAVING count(*) > 0
UNION ALL
SELECT w.privilege || ' on ' || c.relname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS w(privilege)
 WHERE n.nspname = {schema} AND c.relname = {table} AND c.relkind IN ('r', 'p')
   AND NOT has_table_privilege(c.oid, w.privilege)
"""


def postgresql_missing(schema: str | None, table: str) -> str:
    """Return SQL for the rights that the user lacks in a schema, one a row."""
    named = "pg_catalog.current_schema()" if schema is None else _text(schema)
    return _POSTGRESQL.format(schema=named, table=_text(table))


def postgresql_is_there(schema: str) -> str:
    """Return SQL for a row where there is such a schema."""
    return f"SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {_text(schema)}"


POSTGRESQL_NO_SCHEMAS = (
    "SELECT 'CREATE on database ' || current_database() "
    "WHERE NOT has_database_privilege(current_database(), 'CREATE')"
)
"""SQL for what the user lacks to make schemas in this database."""


def mysql_missing(grants: Iterable[str], database: str) -> tuple[str, ...] | None:
    """Return which of the rights wanted in a database ``SHOW GRANTS`` does not list.

    ``None`` where roles are granted: what they hold it does not say.
    """
    has: set[str] = set()
    taken: set[str] = set()
    roles = False
    for line in grants:
        found = _GRANT.match(line)
        if found is None:
            roles = roles or _ROLE.match(line) is not None
        elif _covers(found["on"], database):
            rights = _rights(found["rights"])
            if found["verb"].upper() == "GRANT":
                has |= rights
            else:
                taken |= rights
    lacks = tuple(right for right in MYSQL_WANTED if right not in has or right in taken)
    return None if lacks and roles else lacks


def _rights(text: str) -> set[str]:
    if re.match(r"ALL( PRIVILEGES)?\b", text, re.IGNORECASE):
        return set(MYSQL_WANTED)
    # Of columns alone: `SELECT (a, b)` is no right to the table.
    whole = re.sub(r"[A-Z ]+\([^)]*\)", "", text)
    return {right.strip().upper() for right in whole.split(",")}


def _covers(on: str, database: str) -> bool:
    """Whether ``db.*`` or ``*.*`` is about a database: its name is a pattern of LIKE there."""
    name, _, rest = on.rpartition(".")
    if rest.strip() != "*":
        return False
    if name == "*":
        return True
    text = name.strip("`").replace("``", "`")
    pattern = re.sub(r"\\?.", _as_regex, text, flags=re.DOTALL)
    return re.fullmatch(pattern, database, re.IGNORECASE | re.DOTALL) is not None


def _as_regex(found: re.Match[str]) -> str:
    one = found[0]
    if len(one) == 2:
        return re.escape(one[1])
    return {"%": ".*", "_": "."}.get(one, re.escape(one))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def some_of(rights: Sequence[str], most: int = 4) -> str:
    """Return rights for people, at most so many."""
    more = f" and {len(rights) - most} more" if len(rights) > most else ""
    return ", ".join(rights[:most]) + more
