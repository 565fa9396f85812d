"""What an ``env.py`` says without being run: where its URL is from, where its versions are."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOKS_LIKE_URL = re.compile("URL|URI|DSN", re.IGNORECASE)
_OF_DATABASE = re.compile(r"DB|DATABASE|SQL|POSTGRES|PG|MYSQL|MARIA|ALEMBIC|MIGRAT", re.IGNORECASE)
_UNKNOWN = object()


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
        _literal(calls, "version_table", constants),
        _literal(calls, "version_table_schema", constants),
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


def _literal(calls: list[ast.Call], option: str, constants: dict[str, str]) -> str | None:
    """Return the text that all calls pass as ``option``; a call without it passes another one."""
    passed = {_passed(call, option, constants) for call in calls}
    value = passed.pop() if len(passed) == 1 else None
    return value if isinstance(value, str) and value else None


def _passed(call: ast.Call, option: str, constants: dict[str, str]) -> object:
    for keyword in call.keywords:
        if keyword.arg == option:
            if isinstance(keyword.value, ast.Name):
                return constants.get(keyword.value.id, _UNKNOWN)
            text = _text(keyword.value)
            return _UNKNOWN if text is None else text
    return None
