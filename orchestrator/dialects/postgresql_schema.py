"""The schemas of a PostgreSQL database: queries on its catalogs, and what they answer.

Everything is asked for all schemas at once, and digested on the server. The path is empty
meanwhile, so that every name is written in full; what names its own schema comes back as it is, and
loses that name here: two tenants' schemas differ in nothing else.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from orchestrator.fleet.schema import Thing

SETTINGS = (
    "SET LOCAL search_path TO ''",
    "SET LOCAL quote_all_identifiers TO off",
    "SET LOCAL jit TO off",
)
"""To be run in the transaction of every query here: names are then written in full, and as people
write them. Compiling the query took longer than running it."""

OWN_SCHEMAS = (
    "SELECT nspname FROM pg_catalog.pg_namespace"
    " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
)
"""All schemas of a database but the server's own."""

SESSION = (
    "SELECT current_schema(), current_setting('search_path'), current_setting('server_version'),"
    " pg_encoding_to_char(d.encoding), d.datcollate, d.datctype"
    " FROM pg_catalog.pg_database d WHERE d.datname = current_database()"
)
"""Where unqualified names lead, the path, the server's version, and the database's own locale."""

_VERSION_TABLES = """
SELECT wanted.number, n.oid IS NOT NULL, c.oid IS NOT NULL,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false)
       AND coalesce(has_table_privilege(c.oid, 'SELECT'), false)
  FROM unnest({schemas}, {tables}) WITH ORDINALITY AS wanted (nspname, relname, number)
  LEFT JOIN pg_namespace n ON n.nspname = wanted.nspname
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname
       AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_DIGESTS = """
SELECT ns.nspname,
       encode(sha256(convert_to(coalesce(string_agg(fact, E'\\n' ORDER BY fact COLLATE "C")
              FILTER (WHERE strpos(fact, fact.prefix) = 0), ''), 'UTF8')), 'hex'),
       array_to_json(array_agg(fact) FILTER (WHERE strpos(fact, fact.prefix) > 0))::text
  FROM ns LEFT JOIN fact USING (nspname)
 GROUP BY ns.nspname
"""
# Details in which a name followed by a dot is only text.
_NO_SQL = frozenset({"comment", "options", "tablespace", "of constraint"})
_FACTS = "SELECT nspname, fact FROM fact"

def version_tables_sql(tables: Sequence[tuple[str, str]]) -> str:
    """Return a query for version tables: number from 1, whether there are its schema, itself, the
    right to read it."""
    schemas, names = zip(*tables, strict=True)
    return _VERSION_TABLES.format(schemas=_array(schemas), tables=_array(names))


def digests_sql(schemas: Sequence[str], without: Sequence[str]) -> str:
    """Return a query for each schema: its name, the digest of what does not name it, and as a JSON
    array everything that does. ``without``: tables that are none of it, as ``schema.name``."""
    return _query(schemas, without) + _DIGESTS


def facts_sql(schemas: Sequence[str], without: Sequence[str]) -> str:
    """Return a query for everything in some schemas: the schema, the fact."""
    return _query(schemas, without) + _FACTS


def _query(schemas: Sequence[str], without: Sequence[str]) -> str:
    return _things().replace(":schemas", _array(schemas)).replace(":without", _array(without))


@cache
def _things() -> str:
    return files("orchestrator.dialects").joinpath("postgresql_schema.sql").read_text("utf-8")


def _array(texts: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(_literal, texts))}]::text[]"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in text else f"'{escaped}'"


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def heads_sql(tables: Sequence[tuple[str, str]]) -> str:
    """Return one statement for the rows of many version tables: which one by number, the head."""
    return " UNION ALL ".join(
        f"SELECT {at}, version_num::text FROM {quoted(schema)}.{quoted(table)}"
        for at, (schema, table) in enumerate(tables)
    )


def own(schema: str, fact: str) -> str:
    """Return a fact without its own schema's name in front of other names.

    Not where the same letters are in a text: a default of ``'acme.example.com'`` is not that of
    another tenant.
    """
    return json.dumps(_without(schema, json.loads(fact)), ensure_ascii=False)


def things(schema: str, facts: Iterable[str], *, is_own: bool = True) -> Iterator[Thing]:
    """Return what the facts of a schema tell, by the names that its own tenant uses."""
    for fact in facts:
        kind, table, name, details = _without(schema, json.loads(fact))
        given = tuple((key, _shown(value)) for key, value in details.items())
        yield Thing(kind, table, name, given, "" if is_own else schema)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {text}" for key, text in value.items())
    return str(value)


def _without(schema: str, fact: list[Any]) -> list[Any]:
    *what, details = fact
    return [*what, _sql_without(schema, details)]


def _sql_without(schema: str, details: dict[str, Any]) -> dict[str, Any]:
    plain = _unqualified(schema)
    return {
        key: _sql_without(schema, value)
        if isinstance(value, dict)
        else plain(value)
        if isinstance(value, str) and key not in _NO_SQL
        else value
        for key, value in details.items()
    }


@cache
def _pattern(schema: str) -> re.Pattern[str]:
    names = {re.escape(quoted(schema))}
    if re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
        names.add(re.escape(schema))
    name = "|".join(names)
    return re.compile(
        rf"""
          '(?:{name})\.(?P<class>(?:[^'\\]|'')*'::(?:regclass|regtype|regproc))\b
        | (?P<text>E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')
        | (?<![\w$".])(?:{name})\.(?=[\w"])
        | (?P<name>"(?:[^"]|"")*"|[\w$]+)
        """,
        re.VERBOSE | re.DOTALL,
    )


@cache
def _unqualified(schema: str) -> Any:
    pattern = _pattern(schema)

    def kept(match: re.Match[str]) -> str:
        if match["class"] is not None:
            return f"'{match['class']}"
        return match["text"] or match["name"] or ""

    return lambda text: pattern.sub(kept, text)
