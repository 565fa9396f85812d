"""Whether what ``env.py`` compared of one target is what it would compare of its whole class.

The fingerprint holds all that Alembic's own comparison looks at. What others look at is not known,
and a callback of ``env.py`` may decide by the target.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dis import get_instructions, hasname
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from alembic.autogenerate import compare

try:
    from alembic.runtime.plugins import Plugin
except ImportError:  # before Alembic 1.18
    Plugin = None  # type: ignore[assignment,misc]

_ENV_PY = "env_py"  # as what Alembic loads it
_CALLBACKS = (
    "include_object",
    "include_name",
    "compare_type",
    "compare_server_default",
    "process_revision_directives",
)
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_HARMLESS = frozenset(
    {
        "all",
        "any",
        "append",
        "bool",
        "dict",
        "endswith",
        "enumerate",
        "extend",
        "frozenset",
        "get",
        "info",
        "is_empty",
        "isinstance",
        "issubclass",
        "items",
        "key",
        "keys",
        "len",
        "list",
        "lower",
        "name",
        "op_name",
        "ops",
        "pop",
        "print",
        "remove",
        "removeprefix",
        "removesuffix",
        "replace",
        "schema",
        "set",
        "sorted",
        "split",
        "startswith",
        "str",
        "strip",
        "table",
        "table_name",
        "tuple",
        "type",
        "upgrade_ops",
        "upper",
        "values",
        "zip",
    }
)
"""Names that lead a callback to nothing but what it was given and the fingerprint holds."""


def unsound(opts: Mapping[str, Any], impl: object) -> str | None:
    """Return why a comparison is one target's alone, in words; ``None`` where it is its class's.

    ``opts`` is what ``env.py`` passed to ``context.configure()``, ``impl`` what Alembic compares
    the dialect with. A callback is trusted only where its code says that it can't ask for the
    target: where in doubt, it is not.
    """
    return next(reasons(opts, impl), None)


def reasons(opts: Mapping[str, Any], impl: object) -> Iterator[str]:
    """Yield every reason of ``unsound``, each in words of its own."""
    packages = {module.partition(".")[0] for module in _foreign(opts, impl)}
    if packages:
        names = sorted("env.py" if package == _ENV_PY else package for package in packages)
        yield f"not Alembic alone compares, but also {' and '.join(names)}"
    for name in _CALLBACKS:
        callback = opts.get(name)
        if callable(callback) and not _is_harmless(callback):
            yield f"{name} of env.py may decide by the target"


def _foreign(opts: Mapping[str, Any], impl: object) -> Iterator[str]:
    """Yield the modules of whatever compares and is not Alembic's own."""
    modules = [type(impl).__module__, *map(_module, _comparators(compare.comparators))]
    if Plugin is not None:
        dispatcher = compare.comparators.branch()
        wanted = opts.get("autogenerate_plugins", ["alembic.autogenerate.*"])
        Plugin.populate_autogenerate_priority_dispatch(dispatcher, include_plugins=wanted)
        modules += map(_module, _comparators(dispatcher))
    yield from (module for module in modules if module.partition(".")[0] != "alembic")


def _comparators(dispatcher: Any) -> Iterator[Any]:
    for registered in dispatcher._registry.values():
        for entry in registered if isinstance(registered, list) else [registered]:
            yield entry[0] if isinstance(entry, tuple) else entry


def _module(function: Any) -> str:
    return str(getattr(inspect.unwrap(function), "__module__", None) or "something")


def _is_harmless(callback: Any) -> bool:
    """Whether a function uses only its arguments' plain parts and what is written out beside it."""
    if not isinstance(callback, FunctionType):
        return False
    if callback.__closure__ or callback.__defaults__ or callback.__kwdefaults__:
        return False
    known = _written_out(callback.__code__.co_filename)
    for instruction in (
        one for code in _codes(callback.__code__) for one in get_instructions(code)
    ):
        name = instruction.argval
        if instruction.opname in _GLOBAL:
            # A name of Python's that the file gives another meaning to is whatever that is.
            if name not in known and (name not in _HARMLESS or name in callback.__globals__):
                return False
        elif instruction.opcode in hasname and name not in _HARMLESS:
            return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@cache
def _written_out(file: str) -> frozenset[str]:
    """Return the names that a file sets once, to a literal: the same for each target."""
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    stored = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_set(n)]
    literal = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and _is_literal(node.value):
                literal.add(target.id)
    return frozenset(name for name in literal if stored.count(name) == 1)


def _is_set(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store | ast.Del)


def _is_literal(value: ast.expr) -> bool:
    """Whether it is one that nobody can change afterwards, or holds names alone."""
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError):
        return False
    return isinstance(found, str | int | float | tuple | None)
