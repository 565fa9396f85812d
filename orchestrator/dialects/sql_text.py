"""SQL text taken apart as far as quotes and brackets go."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      '(?:[^'\\]|''|\\.)*'   # a text; MySQL escapes with backslashes, too
    | "(?:[^"]|"")*"
    | `(?:[^`]|``)*`
    | \[[^\]]*\]
    | --[^\n]*
    | /\*.*?\*/
    | [(),]
    | \s+
    | [^\s(),'"`\[]+
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(text: str) -> list[str]:
    """Split into quoted texts, names, brackets, commas, words and the space between them."""
    return _TOKEN.findall(text)


def pieces(text: str) -> list[str]:
    """Split at spaces that are in no quotes and no brackets: ``["decimal(10, 2)", "NULL"]``."""
    found = [""]
    depth = 0
    for token in tokens(text):
        if token.isspace() and not depth:
            found.append("")
            continue
        depth += (token == "(") - (token == ")")  # noqa: S105 - of SQL
        found[-1] += token
    return [piece for piece in found if piece]


def parts(text: str) -> Iterator[str]:
    """Yield what commas separate that are in no quotes and no brackets, comments left out."""
    part, depth = "", 0
    for token in tokens(text):
        if token.startswith(("--", "/*")):
            continue
        if token == "," and not depth:  # noqa: S105 - of SQL
            yield part.strip()
            part = ""
            continue
        depth += (token == "(") - (token == ")")  # noqa: S105 - of SQL
        part += token
    yield part.strip()


def unquoted(name: str, quote: str) -> str:
    """Return a name without its doubled quotes."""
    return name.replace(quote * 2, quote)
