"""Shares of targets as people write them: ``5``, ``"1%"``, or both."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_PERCENT = r"^(100(\.0+)?|\d{1,2}(\.\d+)?)%$"
_FORM = 'expected a count or a percentage: 3 or "1%"'
_BOTH = 'a list has a count and a percentage, of which the larger counts: [3, "1%"]'
_PERCENT_SCHEMA: Mapping[str, Any] = {"type": "string", "pattern": _PERCENT}
_COUNT_SCHEMA: Mapping[str, Any] = {"type": "integer", "minimum": 0}


def _share(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("expected 0 or more")
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,9}(\.\d{1,9})?%", value, re.ASCII):
        raise ValueError(_FORM)
    if not re.fullmatch(_PERCENT, value, re.ASCII) and float(value[:-1]) > 100:
        raise ValueError("a percentage is at most 100%")
    return value


def _pick(value: Any) -> int | str:
    share = _share(value)
    if not (share if isinstance(share, int) else float(share[:-1])):
        raise ValueError("expected more than 0")
    return share


def _budget(value: Any) -> int | str | tuple[int | str, ...]:
    if not isinstance(value, list | tuple):
        return _share(value)
    shares = tuple(_share(item) for item in value)
    if sorted(type(share).__name__ for share in shares) != ["int", "str"]:
        raise ValueError(_BOTH)
    return shares


Pick = Annotated[
    int | str,
    BeforeValidator(_pick),
    WithJsonSchema(
        {"anyOf": [{**_COUNT_SCHEMA, "minimum": 1}, _PERCENT_SCHEMA], "examples": [5, "1%"]}
    ),
]
"""A count or a percentage, more than nothing."""

Budget = Annotated[
    int | str | tuple[int | str, ...],
    BeforeValidator(_budget),
    WithJsonSchema(
        {
            "anyOf": [
                _COUNT_SCHEMA,
                _PERCENT_SCHEMA,
                {
                    "type": "array",
                    "items": {"anyOf": [_COUNT_SCHEMA, _PERCENT_SCHEMA]},
                    "minItems": 2,
                },
            ],
            "examples": [3, "1%", [3, "1%"]],
        }
    ),
]
"""A count, a percentage, or one of each in a list, of which the larger counts."""
