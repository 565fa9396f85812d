"""Whether a statement may change what there is in a database, by what it says."""

import re

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
