"""What ``env.py`` registers with Alembic each time it runs.

A worker runs it once for each target. Alembic's registries are made for one run: they refuse a
second function for one thing, or call both.
"""

from collections.abc import Callable
from typing import Any

from alembic.util import langhelpers


def let_env_py_register_again() -> None:
    """Let a function take the place of the one that the same lines of code defined before."""
    for name in ("Dispatcher", "PriorityDispatcher"):
        dispatcher: Any = getattr(langhelpers, name, None)  # the second is there since Alembic 1.18
        if dispatcher is not None:
            dispatcher.dispatch_for = _replacing(dispatcher.dispatch_for)


def _replacing(dispatch_for: Callable[..., Any]) -> Callable[..., Any]:
    def replacing(self: Any, target: Any, *arguments: Any, **options: Any) -> Callable[..., Any]:
        register = dispatch_for(self, target, *arguments, **options)

        def decorate(function: Any) -> Any:
            _forget(self._registry, target, function)
            return register(function)

        return decorate

    return replacing


def _forget(registry: dict[Any, Any], target: Any, function: Any) -> None:
    for key, value in list(registry.items()):
        if key[0] is not target and key[0] != target:
            continue
        if isinstance(value, list):
            value[:] = [entry for entry in value if not _is_same(entry, function)]
        elif _is_same(value, function):
            del registry[key]


def _is_same(entry: Any, function: Any) -> bool:
    old = getattr(entry[0] if isinstance(entry, tuple) else entry, "__code__", None)
    new = getattr(function, "__code__", None)
    return old is not None and new is not None and _place(old) == _place(new)


def _place(code: Any) -> tuple[str, str, int]:
    return code.co_filename, code.co_name, code.co_firstlineno
