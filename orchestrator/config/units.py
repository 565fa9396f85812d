"""Durations as people write them: ``500ms``, ``5s``, ``15m``, ``24h``, ``7d``."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 365 * _SECONDS["d"]
_PATTERN = r"^\d+(\.\d+)?(ms|s|m|h|d)$"


def seconds(value: Any) -> float:
    """Return a duration in seconds.

    Raises ``ValueError`` for anything but ``<number><unit>``, and for more than a year: no
    server can count that far in milliseconds.
    """
    match = re.fullmatch(_PATTERN, value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is a number and a unit: "500ms", "5s", "15m", "24h" or "7d"')
    result = float(value[: -len(match[2])]) * _SECONDS[match[2]]
    if result > _LONGEST:
        raise ValueError("a duration is at most a year: 365d")
    return result


def duration(value: float) -> str:
    """Return seconds in the largest unit that keeps them whole: ``5.0`` is ``5s``."""
    if not value:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if value % _SECONDS[unit] == 0:
            return f"{value / _SECONDS[unit]:.0f}{unit}"
    return f"{value * 1000:.0f}ms"


def _more_than_nothing(value: float) -> float:
    # To a server, 0 means either "at once" or "never", depending on whose it is.
    if value < _SECONDS["ms"]:
        raise ValueError("a time-out is at least 1ms")
    return value


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    # What is shown of a file can be read again, whichever key it is of.
    PlainSerializer(duration, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": _PATTERN, "examples": ["500ms", "5s", "15m", "24h"]}
    ),
]
Timeout = Annotated[Duration, AfterValidator(_more_than_nothing)]
