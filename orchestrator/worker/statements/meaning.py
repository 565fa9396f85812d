"""What a statement does, by what it says: whether it may change the schema, and what becomes of it
when its revision is rolled back."""

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache


class Kind(Enum):
    """What one statement may do to a database."""

    READS = auto()
    CALLS = auto()  # a SELECT: the functions that it calls may write
    WRITES = auto()  # rolled back with its transaction on every server
    ENDS = auto()  # commits what was done before it
    OTHER = auto()  # DDL, mostly; it commits by itself on some servers


# MySQL runs what is in /*! … */.
_COMMENTS = r"/\*(?!M?!).*?\*/"
_KINDS = (
    (Kind.ENDS, r"COMMIT|END|BEGIN|START\s+TRANSACTION|PREPARE\s+TRANSACTION"),
    (Kind.OTHER, r"SET\b(?=.*\b(?:AUTOCOMMIT|STATEMENT|PASSWORD|GLOBAL|PERSIST|PERSIST_ONLY)\b)"),
    (Kind.OTHER, r"(?:EXPLAIN|DESC|DESCRIBE)\b(?=.*\bANALYZE\b)"),
    (Kind.READS, r"SHOW|PRAGMA|SET|EXPLAIN|DESC|DESCRIBE|SAVEPOINT|RELEASE|ROLLBACK|USE|VALUES"),
    (Kind.WRITES, r"INSERT|UPDATE|DELETE|REPLACE|WITH|SELECT\b(?=.*\bINTO\b)"),
    (Kind.CALLS, r"SELECT\b(?=.*\()"),
    (Kind.READS, r"SELECT"),
)
_KIND = [
    (kind, re.compile(rf"[\s(]*(?:{words})\b", re.IGNORECASE | re.DOTALL)) for kind, words in _KINDS
]


def kinds(statement: str, *, mysql: bool) -> Sequence[Kind]:
    """Return the kind of each statement in a text, in order.

    What can't be told is ``OTHER``. ``mysql``: how literals and comments are written.
    """
    bare = _quoted(mysql).sub(_without, statement)
    return [_kind(part) for part in bare.split(";") if part.strip()]


def _kind(part: str) -> Kind:
    return next((kind for kind, pattern in _KIND if pattern.match(part)), Kind.OTHER)


def _without(match: re.Match[str]) -> str:
    return " " if match[0].startswith(("/*", "--", "#")) else "''"


@cache
def _quoted(mysql: bool) -> re.Pattern[str]:
    """What holds a text that is no SQL: literals, quoted names, comments."""
    if mysql:
        quotes = [r"'(?:[^'\\]|\\.|'')*'", r'"(?:[^"\\]|\\.|"")*"', r"`[^`]*`"]
        comments = [r"--(?=\s|$)[^\n]*", r"\#[^\n]*"]
    else:
        quotes = [r"\b[eE]'(?:[^'\\]|\\.|'')*'", r"'[^']*'", r'"[^"]*"', r"\$(\w*)\$.*?\$\1\$"]
        comments = [r"--[^\n]*"]
    return re.compile("|".join([*quotes, *comments, _COMMENTS]), re.DOTALL)


# MySQL runs what is in /*! … */.
_NOISE = re.compile(r"/\*(?!!).*?\*/|--[^\n]*|^\s*\#[^\n]*", re.DOTALL | re.MULTILINE)
_LITERAL = re.compile(r"'(?:[^'\\]|''|\\.)*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_HARMLESS = re.compile(
    r"\s*(?:\(\s*)*(?:SELECT|SHOW|SET|WITH|VALUES|TABLE|EXPLAIN|DESC|DESCRIBE|PRAGMA|USE|BEGIN|START"
    r"|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|INSERT|UPDATE|DELETE|REPLACE|MERGE|LOCK|UNLOCK"
    r"|CREATE\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP(?:ORARY)?|KILL|LISTEN|NOTIFY|FETCH|CLOSE|DECLARE)\b",
    re.IGNORECASE,
)
_SELECT_INTO = re.compile(r"\s*(?:SELECT|WITH)\b(?!.*\bINSERT\b).*\bINTO\b", re.I | re.DOTALL)
_SHOWN = 80


def changes_schema(statement: str) -> bool:
    """Whether a statement may be DDL, or hide one: whatever is not known to be harmless."""
    text = _LITERAL.sub("''", _NOISE.sub(" ", statement))
    parts = [part for part in text.split(";") if part.strip()]
    return any(not _HARMLESS.match(part) or _SELECT_INTO.match(part) for part in parts)


def shown(statement: str) -> str:
    """Return a statement on one line, without what it quotes, which may be a password."""
    text = " ".join(_LITERAL.sub("'…'", _NOISE.sub(" ", statement)).split())
    return text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")


def is_plain_statement(text: str) -> bool:
    """Whether a text is surely one statement, before and after which another may be written."""
    return not any(mark in text for mark in (";", "--", "#", "/*"))
