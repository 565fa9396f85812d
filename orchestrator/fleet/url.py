"""Database URLs taken apart, with placeholders left in their place."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from orchestrator.config.template import Label, Part, Template
from orchestrator.config.urls import ALIASES

NOT_A_URL = (
    "not a database URL; write driver://user:password@host:port/database, as in"
    " postgresql+psycopg://app:${env:PASSWORD}@db1/shop"
)

# SQLAlchemy's own pattern (sqlalchemy.engine.url), so that both read a URL alike.
_URL = re.compile(
    r"""
    (?P<driver>[\w+]+)://
    (?: (?P<username>[^:/]*) (?: : (?P<password>[^@]*) )? @ )?
    (?: \[ (?P<ipv6>[^/?]+) \] | (?P<host>[^/:?]+) )?
    (?: : (?P<port>[^/?]*) )?
    (?: / (?P<database>[^?]*) )?
    (?: \? (?P<query>.*) )?
    """,
    re.VERBOSE | re.DOTALL,
)


class UrlParts(NamedTuple):
    """The components of a URL; a component that is absent is an empty template."""

    driver: str
    username: Template
    password: Template
    host: Template
    port: Template
    database: Template
    query: tuple[tuple[str, Template], ...]


def canonical(driver: str) -> str:
    """Return a driver by the name that SQLAlchemy has for its kind of server."""
    backend, plus, name = driver.partition("+")
    return f"{ALIASES.get(backend, backend)}{plus}{name}"


def split(url: Template) -> UrlParts:
    """Split a URL the way SQLAlchemy does, percent-decoding its literal text.

    A placeholder stays whole, whatever it will be filled with: each is one opaque character
    while the URL is taken apart. Raises ``ValueError`` with a message that holds nothing of the
    URL, as there may be a password in it.
    """
    if url.parts and isinstance(url.parts[0], Label):
        raise ValueError(
            "a URL can't start with a label, as labels are shown and a URL may have a password;"
            " start it with a driver (mysql+pymysql://) or a secret (${env:URL_OF_{tenant}})"
        )
    masked = Masked(url)
    match = _URL.fullmatch(masked.text)
    if match is None:
        raise ValueError(NOT_A_URL)
    port = match["port"] or ""
    if not masked.has_placeholder(port) and not (port.isascii() and (port.isdigit() or not port)):
        raise ValueError("a URL whose port is not a number")
    return UrlParts(
        driver=canonical(match["driver"]),
        username=masked.template(match["username"], unquote),
        password=masked.template(match["password"], unquote),
        host=masked.template(match["ipv6"] or match["host"]),
        port=masked.template(port),
        database=masked.template(match["database"], unquote),
        query=tuple(_query(masked, match["query"] or "")),
    )


def _query(masked: "Masked", text: str) -> Iterator[tuple[str, Template]]:
    for key, value in parse_qsl(text):
        if masked.has_placeholder(key):
            raise ValueError("a placeholder can't be the name of a URL parameter")
        yield key, masked.template(value)


def _as_is(text: str) -> str:
    return text


class Masked:
    """A template as text in which every placeholder is one character of its own."""

    def __init__(self, template: Template) -> None:
        literal = "".join(part for part in template.parts if isinstance(part, str))
        unused = (char for char in map(chr, range(0xE000, 0xF8FF)) if char not in literal)
        self._placeholders: dict[str, Part] = {}
        self.text = ""
        for part in template.parts:
            if not isinstance(part, str):
                char = next(unused)
                self._placeholders[char] = part
                part = char
            self.text += part

    def has_placeholder(self, text: str) -> bool:
        """Whether some placeholder is in this part of the text."""
        return any(char in self._placeholders for char in text)

    def only_placeholders(self, text: str) -> bool:
        """Whether there is nothing but placeholders in this part of the text."""
        return all(char in self._placeholders for char in text)

    def template(self, text: str | None, decode: Callable[[str], str] = _as_is) -> Template:
        """Turn a part of the text back into a template."""
        parts: list[Part] = []
        literal = ""
        for char in text or "":
            if char in self._placeholders:
                parts += [decode(literal)] if literal else []
                parts.append(self._placeholders[char])
                literal = ""
            else:
                literal += char
        return Template((*parts, decode(literal)) if literal else tuple(parts))
