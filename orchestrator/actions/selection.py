"""Which targets a command is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Selection:
    """Which targets a command is about; empty means all of the promotion path."""

    selectors: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


ALL = Selection()
