"""The schemas of a PostgreSQL database: queries on its catalogs, and what they answer.

Everything is asked for all schemas at once, and digested on the server. The path is empty
meanwhile, so that every name is written in full; what names its own schema comes back as it is, and
loses that name here: two tenants' schemas differ in nothing else.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from orchestrator.dialects.base import Timeouts
from orchestrator.fleet.schema import Thing

_SETTINGS = (
    "SET LOCAL search_path TO ''",
    "SET LOCAL quote_all_identifiers TO off",
    "SET LOCAL jit TO off",
)
# Names are then written in full, and as people write them. Compiling the query took longer than
# running it.

INVALID_INDEXES = (
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_index i"
    " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname <> 'pg_toast' ORDER BY 1, 2"
)
"""Indexes that no query uses, since their building failed or goes on: schema and name."""
OWN_SCHEMAS = (
    "SELECT nspname FROM pg_catalog.pg_namespace"
    " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
)
"""All schemas of a database but the server's own."""

SESSION = (
    "SELECT current_schema(), current_setting('search_path'), current_setting('server_version'),"
    " pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,"
    " current_setting('DateStyle'), current_setting('IntervalStyle'), current_setting('TimeZone'),"
    " current_setting('quote_all_identifiers'), current_setting('server_version_num')"
    " FROM pg_catalog.pg_database d WHERE d.datname = current_database()"
)
"""Where unqualified names lead, the path, the server's version, the database's own locale; and by
what the server understands and writes the text of a default, which Alembic makes it do; its
version as a number."""

_VERSION_TABLES = """
SELECT wanted.number, n.oid IS NOT NULL, c.oid IS NOT NULL,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false)
       AND coalesce(has_table_privilege(c.oid, 'SELECT'), false)
  FROM unnest({schemas}, {tables}) WITH ORDINALITY AS wanted (nspname, relname, number)
  LEFT JOIN pg_namespace n ON n.nspname = wanted.nspname
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname
       AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
# A sum, for it is the same whichever facts are added here and which by the client.
_DIGESTS = """
SELECT ns.nspname, coalesce(first, 0)::text, coalesce(second, 0)::text, handed::text
  FROM ns
  LEFT JOIN (
       SELECT prefix, sum(('x' || left(hex, 16))::bit(64)::bigint) AS first,
              sum(('x' || substr(hex, 17, 16))::bit(64)::bigint) AS second,
              array_to_json(array_agg(fact) FILTER (WHERE hex IS NULL)) AS handed
         FROM (SELECT prefix, fact, CASE WHEN strpos(fact, prefix) = 0
                      THEN encode(sha256(convert_to(fact, 'UTF8')), 'hex') END AS hex
                 FROM fact OFFSET 0) digested
        GROUP BY prefix) total USING (prefix)
"""
_PUBLISHES_PARTS = 150000
# Which rows and columns; the names of columns, whose numbers differ with their history.
_PUBLISHED = """, 'where', pg_get_expr(pr.prqual, pr.prrelid),
 'columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)
               FROM pg_attribute a WHERE a.attrelid = rel.oid AND a.attnum = ANY (pr.prattrs))"""
_PUBLISHED_SCHEMAS = """  UNION ALL
  SELECT ns.prefix, 'publication', '', pubname, json_build_object(
           'definition', (to_jsonb(pu) - ARRAY['oid', 'pubname', 'pubowner'])::text)
    FROM pg_publication_namespace pn
    JOIN ns ON ns.oid = pn.pnnspid
    JOIN pg_publication pu ON pu.oid = pn.pnpubid
"""
# The owner's own rights, too: one may take them from oneself.
_GRANTS = """  UNION ALL
  SELECT held.prefix, 'rights', '', held.name, json_build_object(
           'owner', CASE WHEN held.owner IS NOT NULL THEN pg_get_userbyid(held.owner) END,
           'granted', (
             SELECT string_agg(who || ': ' || rights, '; ' ORDER BY who)
               FROM (SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END
                              AS who,
                            string_agg(privilege_type || CASE WHEN is_grantable THEN '*'
                              ELSE '' END, ', ' ORDER BY privilege_type) AS rights
                       FROM aclexplode(held.acl) GROUP BY grantee) granted))
    FROM (
      SELECT ns.prefix, 'schema' AS name, n.nspowner AS owner,
             coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
        FROM pg_namespace n JOIN ns ON ns.oid = n.oid
      UNION ALL
      SELECT ns.prefix, CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || c.relname,
             c.relowner, coalesce(c.relacl, acldefault(
               CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
        FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
         AND (ns.nspname || '.' || c.relname) <> ALL (:without)
      UNION ALL
      SELECT att.prefix, 'column ' || att.relname || '.' || att.attname, NULL::oid, att.attacl
        FROM att WHERE att.attacl IS NOT NULL
      UNION ALL
      SELECT ns.prefix, 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid)
             || ')', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
        FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
       WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM extended)
      UNION ALL
      SELECT ns.prefix, 'type ' || t.typname, t.typowner,
             coalesce(t.typacl, acldefault('T', t.typowner))
        FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
       WHERE t.typtype IN ('e', 'd', 'r')
         AND ('pg_type'::regclass, t.oid) NOT IN (SELECT classid, objid FROM extended)
    ) held
"""
# Details in which a name followed by a dot is only text.
_NO_SQL = frozenset(
    {"comment", "options", "tablespace", "of constraint", "schema", "foreign options"}
)
# In which a name followed by a dot may be a table's other name, or a row's.
_VIEWS = frozenset({"view", "materialized view", "rule", "policy"})
# Whose names hold types.
_SIGNED = frozenset({"function", "procedure", "aggregate", "operator", "cast", "rights"})
# Languages whose words are read as SQL's.
_SQL_BODIES = frozenset({"sql", "plpgsql"})
_ROWS = frozenset({"old", "new"})
# In no text of the server's.
_OWN = "\0."
_FACTS = "SELECT nspname, fact FROM fact JOIN ns USING (prefix)"


def settings(timeouts: Timeouts) -> Sequence[str]:
    """Return what to run in the transaction of every query here.

    Of that transaction alone: a pooler may give the connection to somebody else after it.
    """
    limits = [f"SET LOCAL lock_timeout TO {_milliseconds(timeouts.lock)}"]
    if timeouts.statement is not None:
        limits.append(f"SET LOCAL statement_timeout TO {_milliseconds(timeouts.statement)}")
    return (*limits, *_SETTINGS)


def _milliseconds(seconds: float) -> int:
    return min(max(1, round(seconds * 1000)), 2**31 - 1)


def version_tables_sql(tables: Sequence[tuple[str, str]]) -> str:
    """Return a query for version tables: number from 1, whether there are its schema, itself, the
    right to read it."""
    schemas, names = zip(*tables, strict=True)
    return _VERSION_TABLES.format(schemas=_array(schemas), tables=_array(names))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be told of which schemas."""

    schemas: Sequence[str]
    without: Sequence[str]
    """Tables that are none of it, as ``schema.name``."""
    version: int
    """The server's, as ``server_version_num``: 150002."""
    grants: bool = False
    """Whether owners and rights are part of it."""


def digests_sql(asked: Asked) -> str:
    """Return a query for each schema: its name, two sums over what does not name it, and as a JSON
    array everything that may."""
    return _query(asked, "details") + _DIGESTS


def facts_sql(asked: Asked) -> str:
    """Return a query for everything in some schemas: the schema, the fact."""
    return _query(asked, "json_strip_nulls(details)") + _FACTS


def _query(asked: Asked, details: str) -> str:
    published = more = ""
    grants = _GRANTS.replace(":without", _array(asked.without)) if asked.grants else ""
    if asked.version >= _PUBLISHES_PARTS:
        published, more = _PUBLISHED, _PUBLISHED_SCHEMAS
    given = {
        ":schemas": _array(asked.schemas),
        ":without": _array(asked.without),
        ":details": details,
        ":published": published,
        ":more": more + grants,
    }
    # At once: a name may look like a placeholder.
    return re.sub(r"(?<!:):\w+\b", lambda found: given[found[0]], _things())


@cache
def _things() -> str:
    """The query without comments, whose placeholders would be filled, too."""
    text = files("orchestrator.dialects").joinpath("postgresql_schema.sql").read_text("utf-8")
    return re.sub(r"^ *--.*\n", "", text, flags=re.MULTILINE)


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


def total(schema: str, sums: Sequence[str], facts: str | None) -> tuple[int, int]:
    """Return what stands for all facts of a schema: the sums of those that a query of digests
    added up, and of those that it handed over, without the schema's own name."""
    first, second = map(int, sums)
    for fact in json.loads(facts or "[]"):
        digest = hashlib.sha256(own(schema, fact).encode()).digest()
        first += int.from_bytes(digest[:8], signed=True)
        second += int.from_bytes(digest[8:16], signed=True)
    return first, second


def own(schema: str, fact: str) -> str:
    """Return a fact with a mark for its own schema's name in front of other names.

    Not where the same letters are in a text: a default of ``'acme.example.com'`` is not that of
    another tenant. Marked, not left out: ``acme.lower(x)`` is not ``lower(x)``.
    """
    given = json.loads(fact)
    found = _without(schema, given, _OWN)
    return fact if found == given else json.dumps(found, ensure_ascii=False)


def things(schema: str, facts: Iterable[str], *, is_own: bool = True) -> Iterator[Thing]:
    """Return what the facts of a schema tell, by the names that its own tenant uses."""
    for fact in facts:
        kind, table, name, details = _without(schema, json.loads(fact), "")
        given = tuple((key, str(value)) for key, value in details.items())
        yield Thing(kind, table, name, given, "" if is_own else schema)


def _without(schema: str, fact: list[Any], mark: str) -> list[Any]:
    kind, table, name, details = fact
    if kind in ("trigger", "rule") and schema in _ROWS:
        return fact
    plain = _view_without if kind in _VIEWS else _sql_without
    quiet = _NO_SQL if details.get("language") in _SQL_BODIES else _NO_SQL | {"body"}

    def without(key: str, value: Any) -> Any:
        if not isinstance(value, str) or key in quiet:
            return value
        return (_body_without if key == "body" else plain)(schema, value, mark)

    told = {key: without(key, value) for key, value in details.items()}
    return [kind, table, _sql_without(schema, name, mark) if kind in _SIGNED else name, told]


def _body_without(schema: str, body: str, mark: str) -> str:
    """As it is where a quote in it may be in a comment, or in a text that is quoted by dollars."""
    if re.search(r"--|/\*|\$", body):
        return body
    return _view_without(schema, body, mark)


def _sql_without(schema: str, sql: str, mark: str) -> str:
    def kept(match: re.Match[str]) -> str:
        if match["class"] is not None:
            return f"'{mark}{match['class']}"
        return match["text"] or match["name"] or mark

    return _pattern(schema).sub(kept, sql)


def _view_without(schema: str, sql: str, mark: str) -> str:
    """As it is where a name in it may stand for a table that goes by the schema's name."""
    names = {schema, quoted(schema)}
    for match in _pattern(schema).finditer(sql):
        if match["name"] in names and sql[match.end() : match.end() + 1] != ".":
            return sql
    return _sql_without(schema, sql, mark)


@cache
def _pattern(schema: str) -> re.Pattern[str]:
    names = {re.escape(quoted(schema))}
    if re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
        names.add(re.escape(schema))
    name = "|".join(sorted(names))
    return re.compile(
        rf"""
          '(?:{name})\.(?P<class>(?:[^'\\]|'')*'::reg[a-z]+)\b
        | (?P<text>E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')
        | (?<![\w$".])(?:{name})\.(?=[\w"])
        | (?P<name>"(?:[^"]|"")*"|[\w$]+)
        """,
        re.VERBOSE | re.DOTALL,
    )
