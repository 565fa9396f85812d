"""Guess what was meant by a misspelt name."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the known name most like ``word``, or ``None``."""
    close = closest(word, known)
    return None if close is None else f"did you mean '{close}'?"


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``word``, whatever its case; ``None`` if none is alike."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None
