"""What an ``env.py`` says without being run: where its URL is from, where its versions are."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOKS_LIKE_URL = re.compile("URL|URI|DSN", re.IGNORECASE)
_OF_DATABASE = re.compile(r"DB|DATABASE|SQL|POSTGRES|PG|MYSQL|MARIA|ALEMBIC|MIGRAT", re.IGNORECASE)
_SCHEMA = "version_table_schema"
_UNKNOWN = "\0"  # no table has such a name


@dataclass(frozen=True, slots=True)
class EnvPy:
    """What could be read from an ``env.py``."""

    variables: tuple[str, ...] = ()
    """Environment variables that it reads and that sound like a database's URL, likeliest first."""
    version_table: str | None = None
    """What every ``context.configure`` passes; ``None`` where they differ, or it is computed."""
    version_table_schema: str | None = None
    """The same of ``version_table_schema``."""
    mentions_databases: bool = False
    """Whether it asks for ``databases``, as Alembic's multidb template does."""
    flaw: str | None = None
    """Why it could not be read."""


def read_env_py(text: str) -> EnvPy:
    """Read what is written out in an ``env.py``. What is computed there stays unknown."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return EnvPy(flaw=f"line {line} is no Python" if line else "it is no Python")
    nodes = list(ast.walk(tree))
    constants = _constants(nodes)
    calls = [node for node in nodes if isinstance(node, ast.Call) and _name(node) == "configure"]
    return EnvPy(
        tuple(dict.fromkeys(sorted(_urls(nodes), key=_unlikely))),
        *_version_table(calls, constants),
        any(isinstance(node, ast.Constant) and node.value == "databases" for node in nodes),
    )


def _urls(nodes: list[ast.AST]) -> Iterator[str]:
    reads = [node for node in nodes if isinstance(node, ast.Call | ast.Subscript)]
    for node in sorted(reads, key=lambda node: (node.lineno, node.col_offset)):
        name = _variable(node) or ""
        if _VARIABLE.fullmatch(name) and _LOOKS_LIKE_URL.search(name):
            yield name


def _unlikely(name: str) -> bool:
    """A broker or a tracker has a URL, too."""
    return not _OF_DATABASE.search(name)


def _variable(node: ast.Call | ast.Subscript) -> str | None:
    """Return ``X`` of ``os.environ["X"]``, ``os.environ.get("X")`` and ``os.getenv("X")``."""
    if isinstance(node, ast.Subscript):
        return _text(node.slice) if _last(node.value) == "environ" else None
    if not node.args:
        return None
    of_environ = isinstance(node.func, ast.Attribute) and _last(node.func.value) == "environ"
    reads = _name(node) == "getenv" or (of_environ and _name(node) in ("get", "pop"))
    return _text(node.args[0]) if reads else None


def _name(call: ast.Call) -> str | None:
    return _last(call.func)


def _last(node: ast.AST) -> str | None:
    """Return ``c`` of ``a.b.c``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _constants(nodes: list[ast.AST]) -> dict[str, str]:
    """Return the names that are set in one place only, and to a text."""
    set_in = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    times = [node.id for node in set_in] + [n.arg for n in nodes if isinstance(n, ast.arg)]
    return {
        node.targets[0].id: text
        for node in nodes
        if isinstance(node, ast.Assign) and len(node.targets) == 1
        if isinstance(node.targets[0], ast.Name) and times.count(node.targets[0].id) == 1
        if (text := _text(node.value)) is not None
    }


def _version_table(
    calls: list[ast.Call], constants: dict[str, str]
) -> tuple[str | None, str | None]:
    """Return the name and schema that all calls pass; neither where one of them is not known.

    A call without them passes others than a call with them.
    """
    passed = {
        tuple(_passed(call, option, constants) for option in ("version_table", _SCHEMA))
        for call in calls
    }
    name, schema = passed.pop() if len(passed) == 1 else (None, None)
    return (None, None) if _UNKNOWN in (name, schema) else (name, schema)


def _passed(call: ast.Call, option: str, constants: dict[str, str]) -> str | None:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    value = given.get(option)
    if value is None:
        return _UNKNOWN if None in given else None  # None is the key of **options
    if isinstance(value, ast.Constant) and value.value is None:
        return None
    name = value.id if isinstance(value, ast.Name) else ""
    return _text(value) or constants.get(name) or _UNKNOWN
