"""Whether a value that came from a file is what its annotation says."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints


def fits(value: Any, hint: Any) -> bool:
    """Return whether ``value`` is of the type that ``hint`` says, all the way down.

    Knows what JSON can hold, tuples of one type, and dataclasses. A bool is no int.
    """
    if hint is Any:
        return True
    if isinstance(hint, type) and not get_args(hint):
        whole = _fields(hint) if is_dataclass(hint) else ()
        return type(value) is hint and all(fits(getattr(value, name), of) for name, of in whole)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Union or origin is types.UnionType:
        return any(fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(one, parts[0]) for one in value)
    assert origin is Mapping, hint
    return isinstance(value, dict) and all(
        fits(key, parts[0]) and fits(of, parts[1]) for key, of in value.items()
    )


@cache
def _fields(of: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(of)
    return tuple((field.name, hints[field.name]) for field in fields(of))
