"""Mistakes in ``environments.toml``, as values: found anywhere, shown with their place."""

from collections.abc import Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and list indexes from the top of the file: ``("environments", "prod", "tenants", 3)``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is, what is wrong, and what would be right."""

    at: Path
    message: str
    hint: str | None = None
    on_key: bool = False
    """Point at the key rather than at its value."""


class Problems(Exception):
    """Mistakes found by a check that has no file at hand. ``ConfigFile.error`` makes a
    ``ConfigError`` of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(p.message for p in self.problems))
