"""Text of others in Markdown as GitHub reads it: shown as it is, and never more than text.

A tenant's name or a server's message must not end the place that it is put into, be a tag, a
heading or a link, nor call somebody: what could is code, in which nothing means anything.
"""

import re
from collections.abc import Callable
from itertools import groupby

from orchestrator.render.text import safe, sound

Code = Callable[[str], str]
# What is left as it is. No sign of Markdown or HTML is in it, nor of what GitHub makes links of:
# @names, #1, :emoji:, addresses, digests of commits.
_PLAIN = re.compile(
    r"\(?[^\W_](?:[^\W_]|[.,+/%'-](?=[^\W_]))*…?\)?[,:;]?\.?"
    r"|\d\d:\d\d(?::\d\d)?[,;)]?|[·→…]"
)
_NOT_PLAIN = re.compile(r"(?i)\b(?:www\.|gh-\d|[0-9a-f]{7,}\b)")
_BEGINS_A_LIST = re.compile(r"\d+[.)]")
_SIMPLE = re.compile(r"[^`|\\\s](?:[^`|\\\n]*[^`|\\\s])?")
_FENCE = re.compile(r"`{3,}")


def inline(text: str, code: Code | None = None) -> str:
    """Return ``text`` for the midst of a paragraph or of a table's cell.

    ``code`` says how what is no plain word is written: ``html`` inside of tags.
    """
    write = code or span
    words = enumerate(sound(safe(text)).split())
    pieces = []
    for plain, of in groupby(words, lambda word: _is_plain(word[1], first=word[0] == 0)):
        run = " ".join(word for _, word in of)
        pieces.append(run if plain else _coded(run, write))
    return " ".join(pieces)


def _coded(run: str, write: Code) -> str:
    """Return words as code, and a comma after them as text."""
    words = run.removesuffix(",")
    return f"{write(words)}{run[len(words) :]}" if words else write(run)


def _is_plain(word: str, *, first: bool) -> bool:
    """Whether a word is one to GitHub, too."""
    if _PLAIN.fullmatch(word) is None or _NOT_PLAIN.search(word) is not None:
        return False
    return not first or _BEGINS_A_LIST.fullmatch(word) is None


def span(text: str) -> str:
    """Return ``text`` as code. It is the same in a table's cell."""
    return f"`{text}`" if _SIMPLE.fullmatch(text) else html(text)


def html(text: str) -> str:
    """Return ``text`` as code in tags, every sign a number: for where Markdown has no code."""
    numbers = (c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in text)
    return f"<code>{''.join(numbers)}</code>"


def fence(text: str) -> str:
    """Return lines as a block of code, which no line of theirs ends."""
    lines = sound(safe(text)).strip("\n")
    longest = max((len(found) for found in _FENCE.findall(lines)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}text\n{lines}\n{marks}"
