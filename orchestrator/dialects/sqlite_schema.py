"""The schema of a SQLite file: the text of its own ``CREATE`` statements, taken apart.

SQLite keeps those as they were written, and SQLAlchemy reflects constraints from that very text by
regular expressions. So only equal texts surely look equal to Alembic.
"""

import re
from collections.abc import Iterable, Iterator

from orchestrator.dialects.sql_text import parts, pieces, tokens
from orchestrator.fleet.schema import Details, Thing

MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
"""Everything but the indexes that constraints make."""

WRITTEN = "written"
"""The detail that tells two texts apart which say the same."""

Row = tuple[str, str, str, str]
"""Type, name, table, SQL."""

_NAME = re.compile(r'(CREATE TABLE )"(\w+)"(?=\s*\()')
_CONSTRAINT = re.compile(
    r"(?:CONSTRAINT\s+(?P<name>\"(?:[^\"]|\"\")*\"|\S+)\s+)?"
    r"(?P<kind>PRIMARY\s+KEY|UNIQUE|CHECK|FOREIGN\s+KEY)\b\s*(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_BEGINS = frozenset({"NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES"}) | {
    "COLLATE", "CONSTRAINT", "GENERATED", "AS",
}  # fmt: skip


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def heads_sql(table: str) -> str:
    """Return a statement for the rows of a version table."""
    return f"SELECT version_num FROM {quoted(table)}"


def canonical(rows: Iterable[Row], version_table: str) -> list[Row]:
    """Return what belongs to the schema, in one order.

    Neither the version table nor what SQLite itself keeps, such as statistics. A table that was
    renamed, as Alembic's batch mode does, has its name in quotes; that alone makes no difference.
    """
    return sorted(
        (type_, name, table, _NAME.sub(r"\1\2", sql, count=1))
        for type_, name, table, sql in rows
        if not name.startswith("sqlite_") and table != version_table
    )


def things(rows: Iterable[Row]) -> Iterator[Thing]:
    """Take the statements apart."""
    for type_, name, table, sql in rows:
        if type_ == "table":
            yield from _table(name, sql)
        elif type_ == "index":
            kind = "unique index" if re.match(r"CREATE\s+UNIQUE", sql, re.IGNORECASE) else "index"
            on = "".join(tokens(sql)).partition("(")
            yield Thing(kind, table, name, (("on", _spaced("(" + on[2])),))
        else:
            at = table if type_ == "trigger" else ""
            yield Thing(type_, at, name, (("definition", _spaced(sql)),))


def _table(table: str, sql: str) -> Iterator[Thing]:
    _, bracket, rest = sql.partition("(")
    body, _, options = rest.rpartition(")")
    if not bracket or re.match(r"CREATE\s+VIRTUAL", sql, re.IGNORECASE):
        yield Thing("table", "", table, (("definition", _spaced(sql)),))
        return
    kept = (("options", _spaced(options)),) if options.strip() else ()
    yield Thing("table", "", table, (*kept, (WRITTEN, sql)))
    order = 0
    for part in parts(body):
        found = _CONSTRAINT.match(part)
        if found:
            kind = _spaced(found["kind"]).lower().replace("unique", "unique constraint")
            kind = kind.replace("check", "check constraint")
            name = (found["name"] or "").strip('"')
            definition = _spaced(found["rest"])
            yield Thing(kind, table, name or definition, (("definition", definition),))
        elif part:
            order += 1
            yield _column(table, part, order)


def _column(table: str, text: str, order: int) -> Thing:
    name, *words = pieces(text)
    end = next((at for at, word in enumerate(words) if word.upper() in _BEGINS), len(words))
    found: dict[str, str] = {"type": _spaced(" ".join(words[:end])) or "none", "nullable": "yes"}
    words, rest = words[end:], []
    while words:
        word = words.pop(0)
        if word.upper() == "NOT" and words and words[0].upper() == "NULL":
            found["nullable"] = "no"
            words.pop(0)
        elif word.upper() == "DEFAULT" and words:
            found["default"] = words.pop(0)
        else:
            rest.append(word)
    details: Details = (*found.items(), ("position", str(order)))
    if rest:
        details = (*details[:-1], ("options", _spaced(" ".join(rest))), details[-1])
    return Thing("column", table, name.strip('"`[]'), details)


def _spaced(text: str) -> str:
    """Return SQL with one space wherever there is any, and none at its ends."""
    return "".join(" " if token.isspace() else token for token in tokens(text)).strip()
