"""What can be told from a URL's text alone, whatever its placeholders will hold."""

import re

from orchestrator.config.template import Label, Secret, parse

EXAMPLE = "postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/shop"

_SCHEME = re.compile(r"([A-Za-z]\w*)(\+\w+)?://")
_IN_MEMORY = re.compile(r"sqlite(\+\w+)?:///?($|\?|:memory:|file::memory:)|.*[?&]mode=memory\b")
ALIASES = {"postgres": "postgresql"}
"""What hosters write, and SQLAlchemy does not know any more."""
_MISNAMED = {"pg": "postgresql", "sqlite3": "sqlite"}


def backend(url: str) -> str | None:
    """Return the kind of database, in lower case: ``mysql``. ``None`` where a secret holds it."""
    match = _SCHEME.match(_opaque(url))
    return ALIASES.get(match[1].lower(), match[1].lower()) if match else None


def url_problem(url: str) -> tuple[str, str] | None:
    """Say what is wrong with a URL and what would be right, or return ``None``.

    Nothing of the URL is in what is said: there may be a password in it.
    """
    parts = parse(url).parts
    if parts and isinstance(parts[0], Secret | Label):
        return None
    kind = backend(url)
    if kind is None:
        return "this is not a database URL", f"expected driver://…, for example: {EXAMPLE}"
    if kind in _MISNAMED:
        return f"SQLAlchemy knows no '{kind}'", f"write {_MISNAMED[kind]}:// or {EXAMPLE}"
    return _sqlite_problem(_opaque(url)) if kind == "sqlite" else None


def _sqlite_problem(url: str) -> tuple[str, str] | None:
    if _IN_MEMORY.match(url):
        return (
            "a SQLite database in memory is gone when the worker ends",
            "name a file: sqlite:///var/{tenant}.db",
        )
    if not re.match(r"sqlite(\+\w+)?:///", url):
        return (
            "a SQLite URL has three slashes before the path",
            "for example: sqlite:///var/{tenant}.db, or four for an absolute path",
        )
    return None


def _opaque(url: str) -> str:
    """Return ``url`` with a letter for each placeholder."""
    return "".join(part if isinstance(part, str) else "x" for part in parse(url).parts)
