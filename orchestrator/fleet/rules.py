"""What a label's value may hold, by where it is put: it must not be able to leave its place."""

import re
from enum import Enum
from typing import NamedTuple

from orchestrator.config.template import Label, Secret, Template
from orchestrator.fleet.address import Address
from orchestrator.fleet.location import is_uri

_CONTROLS = r"\x00-\x1f\x7f\x80-\x9f\ud800-\udfff"


class Rule(NamedTuple):
    """What is refused in one kind of place."""

    noun: str
    refused: re.Pattern[str]
    refused_whole: frozenset[str] = frozenset()


def _rule(noun: str, refused: str, *whole: str) -> Rule:
    return Rule(noun, re.compile(refused), frozenset(whole))


class Place(Enum):
    """Where a label's value is put."""

    HOST = _rule("a host", r"[^A-Za-z0-9._:-]")
    PORT = _rule("a port", r"[^0-9]")
    # '?' as well: a rendered URL would end its database there.
    DATABASE = _rule("the name of a database", rf"[/\\'\"`?{_CONTROLS}]")
    SCHEMA = _rule("the name of a schema", rf"[/\\'\"`?{_CONTROLS}]", ".", "..")
    PATH = _rule("the path of a file", rf"[/\\{_CONTROLS}]", ".", "..")
    URI = _rule("a file: URI", rf"[/\\?#%{_CONTROLS}]", ".", "..")
    # A place that is only known once a secret is: nothing that means something in a URL.
    URL = _rule("a URL that starts with a secret", r"[^\w.-]", ".", "..")
    ENV = _rule("the name of a variable", r"[^\w.-]")
    FILE = _rule("the path of a secret", rf"[/\\{_CONTROLS}]", ".", "..")
    # Neither a shell's character nor, at the start, an option.
    CMD = _rule("a command", r"^-|[^A-Za-z0-9_.-]")

    def flaw(self, value: str) -> str | None:
        """Say why ``value`` can't be put here, or return ``None``."""
        rule = self.value
        if not value:
            return f"an empty value can't be in {rule.noun}"
        found = rule.refused.search(value)
        if found is not None:
            return f"{found[0]!r} can't be in {rule.noun}"
        return f"{value!r} can't be in {rule.noun}" if value in rule.refused_whole else None


def places(address: Address) -> tuple[tuple[str, Place], ...]:
    """Return which labels are put where that must not leave their place, each pair once.

    User name, password and parameters are not among them: they are quoted, so anything goes.
    """
    found = [
        *_in_text(address.host, Place.HOST),
        *_in_text(address.port, Place.PORT),
        *_in_text(address.database, _place_of_database(address)),
        *_in_text(address.schema, Place.SCHEMA),
        *_in_text(address.whole, Place.URL),
    ]
    texts = (
        *(address.username, address.password, address.host, address.port),
        *(address.database, address.schema, address.whole, *(value for _, value in address.query)),
    )
    for text in texts:
        for secret in text.secrets:
            found += [(p.name, Place[secret.kind.upper()]) for p in _labels(secret)]
    return tuple(dict.fromkeys(found))


def _place_of_database(address: Address) -> Place:
    if address.backend != "sqlite":
        return Place.DATABASE
    query = {key: str(value) for key, value in address.query}
    return Place.URI if is_uri(str(address.database), query) else Place.PATH


def _in_text(text: Template, place: Place) -> list[tuple[str, Place]]:
    return [(part.name, place) for part in text.parts if isinstance(part, Label)]


def _labels(secret: Secret) -> list[Label]:
    return [part for part in secret.body if isinstance(part, Label)]
