"""Mistakes in ``environments.toml``, as values: found anywhere, shown with their place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

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


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the known name most like ``word``, or ``None``."""
    close = closest(word, known)
    return None if close is None else f"did you mean '{close}'?"


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``word``, whatever its case; ``None`` if none is alike."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None
