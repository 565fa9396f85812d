"""The schema of a SQLite file: the text of its own ``CREATE`` statements, taken apart.

SQLite keeps those as they were written, and SQLAlchemy reflects constraints from that very text by
regular expressions.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from orchestrator.dialects.sql_text import Tokens, parts, splitter, units, unquoted
from orchestrator.fleet.schema import Details, Thing

MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
"""Everything but the indexes that constraints make."""

WRITTEN = "written"
"""The detail that tells two texts apart which say the same."""

Row = tuple[str, str, str, str]
"""Type, name, table, SQL."""

# Where the columns begin on a line of their own: in one line, SQLAlchemy's pattern for a UNIQUE of
# a column begins at the first quote there is. A name that ends like a constraint is one to it.
_RENAMED = re.compile(r'CREATE TABLE "(\w+)(?<!unique)(?<!check)"(?= \(\n)', re.IGNORECASE)
_TOKEN = splitter(
    r"[xX]?'(?:[^']|'')*'",
    r'"(?:[^"]|"")*"',
    r"`(?:[^`]|``)*`",
    r"\[[^\]]*\]",
    r"--[^\n]*",
    r"/\*.*?(?:\*/|\Z)",
)
_QUOTED = re.compile(r'"[A-Za-z_]\w*"|`[A-Za-z_]\w*`|\[[A-Za-z_]\w*\]')
_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_BEGINS = _CONSTRAINTS | {
    "NOT",
    "NULL",
    "DEFAULT",
    "REFERENCES",
    "COLLATE",
    "GENERATED",
    "AS",
    "ON",
}
_KINDS = {
    "PRIMARY": "primary key",
    "UNIQUE": "unique constraint",
    "CHECK": "check constraint",
    "FOREIGN": "foreign key",
}


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def same(name: str) -> str:
    """Return a name as SQLite compares it: the case of ASCII letters makes no difference."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def heads_sql(table: str) -> str:
    """Return a statement for the rows of a version table."""
    return f"SELECT version_num FROM {quoted(table)}"


def canonical(rows: Iterable[Row], version_table: str) -> list[Row]:
    """Return what belongs to the schema, in one order.

    Neither the version table nor what SQLite itself keeps, such as statistics. A table that was
    renamed, as Alembic's batch mode does, has its name in quotes; that alone makes no difference.
    """
    own = same(version_table)
    return sorted(
        (type_, name, table, _RENAMED.sub(r"CREATE TABLE \1", sql, count=1))
        for type_, name, table, sql in rows
        if not name.startswith("sqlite_") and same(table) != own
    )


def things(rows: Iterable[Row]) -> Iterator[Thing]:
    """Take the statements apart, one space wherever there is any, without comments.

    A table's own text is its detail ``WRITTEN``: SQLAlchemy may see another table in other words.
    """
    for type_, name, table, sql in rows:
        tokens = _clean(sql)
        if type_ == "table":
            yield from _table(name, sql, tokens)
        elif type_ == "index":
            kind = "unique index" if "UNIQUE" in map(str.upper, tokens[:3]) else "index"
            on = _plain("".join(tokens[tokens.index("(") :]))
            yield Thing(kind, table, name, (("on", on),))
        else:
            at = table if type_ == "trigger" else ""
            yield Thing(type_, at, name, (("definition", "".join(tokens)),))


def _clean(sql: str) -> list[str]:
    """Return the tokens without comments, with one space wherever there is any."""
    found: list[str] = []
    for token in _TOKEN.findall(sql):
        if not token.isspace() and not token.startswith(("--", "/*")):
            found.append(token)
        elif found[-1:] != [" "]:
            found.append(" ")
    return found[:-1] if found[-1:] == [" "] else found


def _table(table: str, sql: str, tokens: Tokens) -> Iterator[Thing]:
    head, body, options = _divided(tokens)
    if not body or "VIRTUAL" in map(str.upper, head[:3]):
        yield Thing("table", "", table, (("definition", "".join(tokens)), (WRITTEN, sql)))
        return
    kept = (("options", options),) if options else ()
    yield Thing("table", "", table, (*kept, (WRITTEN, sql)))
    order = 0
    for part in parts(body):
        words = [unit for unit in units(part) if unit != " "]
        if words and words[0].upper() in _CONSTRAINTS:
            yield _constraint(table, words)
        elif words:
            order += 1
            yield _column(table, words, order)


def _divided(tokens: Tokens) -> tuple[Tokens, Tokens, str]:
    """Return what is before the first brackets, in them and after them."""
    if "(" not in tokens:
        return tokens, (), ""
    start = tokens.index("(")
    depths = accumulate((token == "(") - (token == ")") for token in tokens[start:])  # noqa: S105 - of SQL
    end = next((at for at, depth in enumerate(depths, start) if not depth), len(tokens))
    return tokens[:start], tokens[start + 1 : end], "".join(tokens[end + 1 :]).strip()


def _constraint(table: str, words: list[str]) -> Thing:
    name = ""
    if words[0].upper() == "CONSTRAINT" and len(words) > 1:
        name, words = _unquoted(words[1]), words[2:]
    kind = _KINDS.get(words[0].upper() if words else "", "constraint")
    rest = words[2:] if kind in ("primary key", "foreign key") else words[1:]
    # In an expression, what is in double quotes may be a text.
    definition = _joined(rest) if kind == "check constraint" else _plain(_joined(rest))
    return Thing(kind, table, name or definition, (("definition", definition),))


def _column(table: str, words: list[str], order: int) -> Thing:
    name, *words = words
    end = next((at for at, word in enumerate(words) if word.upper() in _BEGINS), len(words))
    found: dict[str, str] = {"type": _type(words[:end]), "nullable": "yes"}
    rest: list[str] = []
    words = words[end:]
    while words:
        word = words.pop(0)
        key = word.upper()
        if key == "NOT" and words and words[0].upper() == "NULL":
            found["nullable"] = "no"
            words.pop(0)
        elif key == "DEFAULT" and words and rest[-1:] != ["SET"]:
            sign = words.pop(0) if words[0] in ("+", "-") else ""
            found["default"] = sign + (words.pop(0) if words else "")
        elif key == "COLLATE" and words:
            found["collation"] = _unquoted(words.pop(0))
        elif key == "AS" and words:
            stored = [word for word in words[1:2] if word.upper() in ("STORED", "VIRTUAL")]
            found["computed"] = _joined([words[0], *stored])
            del words[: 1 + len(stored)]
        elif key not in ("GENERATED", "ALWAYS"):
            rest.append(key if key == "SET" else word)
    options = (("options", _joined(rest)),) if rest else ()
    details: Details = (*found.items(), *options, ("position", str(order)))
    return Thing("column", table, _unquoted(name), details)


def _type(words: Sequence[str]) -> str:
    return (
        "".join(
            word if word.startswith("(") else f" {word.upper() if word.isidentifier() else word}"
            for word in words
        ).strip()
        or "none"
    )


def _joined(words: Sequence[str]) -> str:
    return " ".join(words)


def _plain(text: str) -> str:
    """Return SQL without the quotes that people would not write."""
    tokens = _TOKEN.findall(text)
    return "".join(_unquoted(token) if _QUOTED.fullmatch(token) else token for token in tokens)


def _unquoted(name: str) -> str:
    if name.startswith("["):
        return name[1:-1]
    quote = name[:1]
    return unquoted(name[1:-1], quote) if quote in ('"', "`", "'") else name
