"""Keep secrets out of everything that people and files get to see."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORT = 4
_USERINFO = re.compile(r"(?<=://)([^\s:/@'\"?#]*):([^\s'\"]*)@")
_ONLY_PLACEHOLDERS = re.compile(r"(\$\{(env|file|cmd):[^}]*\}|\{\w+\})+")


class Redactor:
    """Replace secret values in text by ``***``.

    No value of four characters or more is left anywhere, plain, URL-quoted or escaped. A shorter
    value is left where it is part of a longer word. Passwords in URLs are masked even where
    their value is not known. ``own``: names of ours, of targets and revisions, that are never
    masked because a password is an ordinary word that they hold; a name that *is* a secret is.
    """

    def __init__(self, values: Iterable[str], own: Iterable[str] = ()) -> None:
        self._values = frozenset(values)
        forms = {form for value in self._values for form in _forms(value)}
        # Longest first: a secret that begins with another one must not leave its end behind.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(_matching, ordered))) if ordered else None
        spared = sorted(set(own) - forms - {""}, key=len, reverse=True)
        names = "|".join(map(re.escape, spared))
        self._own = re.compile(rf"(?<![\w/-])({names})(?![\w/-])") if spared else None

    def __call__(self, text: str) -> str:
        """Return ``text`` with every secret masked."""
        if self._pattern is not None:
            own = [found.span() for found in self._own.finditer(text)] if self._own else []
            text = self._pattern.sub(lambda found: _spared(found, own) or MASK, text)
        return masked_urls(text)

    def sparing(self, own: Iterable[str]) -> "Redactor":
        """Return one for the same values that leaves such names as they are."""
        return Redactor(self._values, own)


def _spared(found: re.Match[str], own: Sequence[tuple[int, int]]) -> str | None:
    # Only what is wholly within a name: a secret that begins in one and goes on is masked.
    inside = any(start <= found.start() and found.end() <= end for start, end in own)
    return found[0] if inside else None


def masked_urls(text: str) -> str:
    """Return ``text`` without the passwords of URLs: all there is to hide in words of our own."""
    return _USERINFO.sub(_without_password, text) if "://" in text else text


def _without_password(found: re.Match[str]) -> str:
    if _ONLY_PLACEHOLDERS.fullmatch(found[2]):
        return found[0]
    return f"{found[1]}:{MASK}@"


def _matching(form: str) -> str:
    escaped = re.escape(form)
    return rf"(?<!\w){escaped}(?!\w)" if len(form) < _SHORT else escaped


def _forms(value: str) -> Iterator[str]:
    """Yield every way in which a value may be written; never an empty one."""
    for text in {value, value.strip(), *_lines(value)} - {""}:
        yield from (text, repr(text)[1:-1], json.dumps(text)[1:-1])
        raw = text.encode("utf-8", "surrogatepass")
        # " +" is what SQLAlchemy leaves as it is in a URL.
        yield from (quote(raw), quote(raw, safe=""), quote(raw, safe=" +"), quote_plus(raw))


def _lines(value: str) -> Iterator[str]:
    """Yield the lines of a key or certificate; a lone bracket of a JSON file is no secret."""
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in map(str.strip, lines) if len(line) >= _SHORT)
