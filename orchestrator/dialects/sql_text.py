"""SQL text taken apart as far as quotes and brackets go."""

import re
from collections.abc import Iterable, Iterator, Sequence

Tokens = Sequence[str]


def splitter(*quoted: str) -> re.Pattern[str]:
    """Return a pattern for what a dialect quotes, brackets, commas, words and space between.

    Whatever is in a text, its tokens together are that text.
    """
    alternatives = (*quoted, r"[(),]", r"\s+", r"""(?:[^\s(),'"`\[/-]|-(?!-)|/(?!\*))+""", r".")
    return re.compile("|".join(alternatives), re.DOTALL)


def units(tokens: Iterable[str]) -> Iterator[str]:
    """Yield tokens, but what brackets hold together as one: ``decimal``, ``(10, 2)``."""
    unit, depth = "", 0
    for token in tokens:
        depth += (token == "(") - (token == ")")  # noqa: S105 - of SQL
        unit += token
        if depth <= 0:
            yield unit
            unit, depth = "", 0
    if unit:
        yield unit


def pieces(tokens: Iterable[str]) -> list[str]:
    """Split at spaces that are in no quotes and no brackets: ``["decimal(10, 2)", "NULL"]``."""
    found = [""]
    for unit in units(tokens):
        if unit.isspace():
            found.append("")
        else:
            found[-1] += unit
    return [piece for piece in found if piece]


def parts(tokens: Iterable[str]) -> Iterator[list[str]]:
    """Yield the tokens between commas that are in no quotes and no brackets."""
    part: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")  # noqa: S105 - of SQL
        if token == "," and not depth:  # noqa: S105 - of SQL
            yield part
            part = []
        else:
            part.append(token)
    yield part


def unquoted(name: str, quote: str) -> str:
    """Return a name without its doubled quotes."""
    return name.replace(quote * 2, quote)
