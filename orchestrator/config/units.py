"""Durations as people write them: ``500ms``, ``5s``, ``15m``, ``24h``, ``7d``."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PATTERN = r"^\d+(\.\d+)?(ms|s|m|h|d)$"


def seconds(value: Any) -> float:
    """Return a duration in seconds. Raises ``ValueError`` for anything but ``<number><unit>``."""
    match = re.fullmatch(_PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is a number and a unit: "500ms", "5s", "15m", "24h" or "7d"')
    return float(value[: -len(match[2])]) * _SECONDS[match[2]]


def duration(value: float) -> str:
    """Return seconds in the largest unit that keeps them whole: ``5.0`` is ``5s``."""
    for unit in ("d", "h", "m", "s"):
        if value and value % _SECONDS[unit] == 0:
            return f"{value / _SECONDS[unit]:.0f}{unit}"
    return f"{value * 1000:.0f}ms"


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema(
        {"type": "string", "pattern": _PATTERN, "examples": ["500ms", "5s", "15m", "24h"]}
    ),
]
