"""Whether a value that came from a file is what its annotation says."""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

Check = Callable[[Any], bool]


def fits(value: Any, hint: Any) -> bool:
    """Return whether ``value`` is of the type that ``hint`` says, all the way down.

    Knows what JSON can hold, tuples of one type, and dataclasses. A bool is no int.
    """
    return _check(hint)(value)


@cache  # Of 100,000 targets, to look at the annotations each time would take many seconds.
def _check(hint: Any) -> Check:
    if hint is Any:
        return lambda _: True
    origin, parts = get_origin(hint), get_args(hint)
    if origin is None:
        return _of_dataclass(hint) if is_dataclass(hint) else lambda value: type(value) is hint
    if origin is Union or origin is types.UnionType:
        checks = tuple(map(_check, parts))
        return lambda value: any(check(value) for check in checks)
    if origin is tuple:
        each = _check(parts[0])
        return lambda value: type(value) is tuple and all(map(each, value))
    assert origin is Mapping, hint
    key, of = map(_check, parts)
    return lambda value: (
        isinstance(value, dict) and all(map(key, value)) and all(map(of, value.values()))
    )


def _of_dataclass(hint: Any) -> Check:
    hints = get_type_hints(hint)
    checks = tuple((field.name, _check(hints[field.name])) for field in fields(hint))
    return lambda value: (
        type(value) is hint and all(check(getattr(value, name)) for name, check in checks)
    )
