"""Which stretches of ``environments.toml`` must not be shown to anybody."""

import re
from collections.abc import Iterator

MASK = "***"
Stretch = tuple[int, int]

_PLACEHOLDER = r"\$?\{[^}\n\"']*\}"
_ONLY_PLACEHOLDERS = re.compile(rf"({_PLACEHOLDER})*")
_USER = re.compile(rf"//(?:{_PLACEHOLDER}|[^\s\"'/@:\[])*+:")
_PORT = re.compile(r"\d*(?=[/?\s\"'#,]|$)")
# A URL whose "://" was mistyped is still a URL with a password.
_DAMAGED = re.compile(
    r"(?:^|(?<!\$\{env)(?<!\$\{cmd)(?<!\$\{file):)(?!/)([^\s\"'@:=]+)@", re.MULTILINE
)
_SECRET_KEY = re.compile(
    r"(?:passw|pwd|token|secret|api_?key|credential)[\w.-]*[\"']?\s*=\s*", re.IGNORECASE
)
_QUOTE = re.compile("\"\"\"|'''|\"|'")


def secret_stretches(text: str) -> list[Stretch]:
    """Return where ``text`` has passwords in URLs, or values of keys that sound like secrets.

    In case of doubt it hides too much: the file may be broken, and a password may hold anything.
    """
    found = sorted(s for s in (*_urls(text), *_damaged(text), *_values(text)) if s[0] < s[1])
    merged: list[Stretch] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def masked(text: str) -> str:
    """Return ``text`` without its secrets."""
    for start, end in reversed(secret_stretches(text)):
        text = text[:start] + MASK + text[end:]
    return text


def _urls(text: str) -> Iterator[Stretch]:
    for found in _USER.finditer(text):
        start, end = found.end(), _end_of_string(text, found.start(), found.end())
        at = text.rfind("@", start, end)
        if at < 0:
            at = start if _PORT.match(text, start, end) else _end_of_word(text, start, end)
        if not _ONLY_PLACEHOLDERS.fullmatch(text, start, at):
            yield start, at


def _damaged(text: str) -> Iterator[Stretch]:
    for found in _DAMAGED.finditer(text):
        if not _ONLY_PLACEHOLDERS.fullmatch(found[1]):
            yield found.span(1)


def _values(text: str) -> Iterator[Stretch]:
    for found in _SECRET_KEY.finditer(text):
        start = found.end()
        quote = _QUOTE.match(text, start)
        if quote:
            start = quote.end()
            end = _closing(text, quote[0], start)
        else:
            end = _end_of_word(text, start, len(text))
        if not _ONLY_PLACEHOLDERS.fullmatch(text, start, end):
            yield start, end


def _end_of_string(text: str, before: int, start: int) -> int:
    """Return where the string ends that a URL is in; of its line, where it is in none."""
    line = text.rfind("\n", 0, before) + 1
    double, single = text.rfind('"', line, before), text.rfind("'", line, before)
    if double == single:
        return _or_end(text.find("\n", start), text)
    return _closing(text, '"' if double > single else "'", start)


def _closing(text: str, quote: str, start: int) -> int:
    at = text.find(quote, start)
    while quote[0] == '"' and at > 0 and _is_escaped(text, at):
        at = text.find(quote, at + 1)
    return _or_end(at, text)


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _end_of_word(text: str, start: int, end: int) -> int:
    found = re.compile(r"[\s\"'&,}\]]").search(text, start, end)
    return found.start() if found else end


def _or_end(at: int, text: str) -> int:
    return len(text) if at < 0 else at
