"""Where a target is: a URL in components, each of them text with secrets still in it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.template import Secret, Template, parse
from orchestrator.fleet.location import (
    Location,
    Query,
    backend_of,
    identity_of,
    rooted,
    server_of,
)
from orchestrator.fleet.url import Masked, UrlParts, split

__all__ = ["OWN_LABELS", "Address", "AddressTemplate", "Location"]

OWN_LABELS = frozenset({"environment", "database"})
"""Labels that every target has, with or without a tenant."""

_NOTHING = Template(())
_TEXTS = ("username", "password", "host", "port", "database", "schema", "whole")


@dataclass(frozen=True, slots=True)
class Address:
    """A database URL whose labels are filled and whose secrets are not resolved.

    ``str()`` shows it as a URL fit for people: a password is never shown, secrets by name.
    """

    driver: str
    """As SQLAlchemy writes it: ``mysql+pymysql``. Empty where the whole URL is a secret."""
    username: Template
    password: Template
    host: Template
    port: Template
    database: Template
    query: tuple[tuple[str, Template], ...]
    schema: Template
    whole: Template
    """The URL where it starts with a secret (``${env:DATABASE_URL}``) and can only be taken apart
    once resolved; else empty."""
    folder: str
    """What a relative path of SQLite is relative to."""

    def __str__(self) -> str:
        return self.redacted

    @property
    def backend(self) -> str:
        """``mysql``, ``mariadb``, ``postgresql``, ``sqlite``; empty where a secret says it."""
        return backend_of(self.driver)

    @property
    def redacted(self) -> str:
        """The URL for people: no password, secrets by name, SQLite paths as they were given."""
        if self.whole:
            return without_password(self.whole)
        text = f"{self.driver}://{self.username}"
        text += f":{hidden(self.password)}" if self.password else ""
        text += "@" if self.username or self.password else ""
        host = str(self.host)
        text += f"[{host}]" if ":" in host and not self.host.secrets else host
        text += f":{self.port}" if self.port else ""
        text += f"/{self.database}" if self.database else ""
        query = "&".join(f"{key}={shown(key, value)}" for key, value in self.query)
        return f"{text}?{query}" if query else text

    @property
    def server(self) -> str:
        """Driver's backend, host and port: ``mysql://db1:3306``, ``sqlite``.

        Where a secret holds the host, the secret's name stands for it.
        """
        if self.whole:
            return str(self.whole.parts[0])
        return server_of(self.backend, str(self.host), str(self.port), self._query(str))

    @property
    def identity(self) -> str:
        """Equal for two addresses of one physical database or schema, as far as can be told
        without their secrets."""
        if self.whole:
            return f"{self.whole}#{self.schema}"
        database, query = str(self.database), self._query(str)
        if self.backend == "sqlite":
            path = rooted(database, query, self.folder)
            return identity_of("sqlite", "", None, path, None, query)
        return identity_of(
            self.backend, self.server, str(self.username), database, str(self.schema), query
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that it takes to resolve it, each once."""
        texts = [getattr(self, name) for name in _TEXTS] + [value for _, value in self.query]
        return tuple(dict.fromkeys(secret for text in texts for secret in text.secrets))

    def resolve(self, secret: Callable[[Secret], str]) -> Location:
        """Return the place itself, with ``secret`` giving each secret's value.

        A value stays in its place, whatever characters are in it; only the secret that a URL
        starts with is read as a URL. Raises ``ValueError`` when that is none; the message holds
        nothing of it.
        """
        if self.whole:
            return self.opened(secret).resolve(secret)
        query = self._query(lambda value: value.resolve(secret))
        database = self.database.resolve(secret)
        if self.backend == "sqlite":
            database = rooted(database, query, self.folder)
        return Location(
            driver=self.driver,
            username=self.username.resolve(secret) if self.username else None,
            password=self.password.resolve(secret) if self.password else None,
            host=self.host.resolve(secret) or None,
            port=_port(self.port.resolve(secret)),
            database=database or None,
            query=query,
            schema=self.schema.resolve(secret) or None,
        )

    def opened(self, secret: Callable[[Secret], str]) -> "Address":
        """Take a URL that starts with a secret apart, resolving that secret and no other."""
        if not self.whole:
            return self
        first, *rest = self.whole.parts
        assert isinstance(first, Secret)
        try:
            url = split(Template((secret(first), *rest)))
        except ValueError as error:
            raise ValueError(f"{first}: what it holds is {error}") from None
        return _address(url, self.schema, self.folder)

    def _query(self, text: Callable[[Template], str]) -> Query:
        query: dict[str, str | tuple[str, ...]] = {}
        for key, value in self.query:
            if key in query:
                before = query[key]
                several = (before,) if isinstance(before, str) else before
                query[key] = (*several, text(value))
            else:
                query[key] = text(value)
        return query


@dataclass(frozen=True, slots=True)
class AddressTemplate:
    """An address with labels to fill: one for all targets of a database in an environment."""

    blank: Address
    """The address with its labels still open."""
    labels: frozenset[str]
    """Every label that must be filled."""
    _open: tuple[str, ...]
    _open_query: bool

    @classmethod
    def parse(cls, url: str, schema: str | None, folder: Path) -> "AddressTemplate":
        """Parse a URL as it is in the file. Raises ``ValueError`` for what is no database URL."""
        template = parse(url)
        return cls.of(_blank(template, parse(schema or ""), str(folder)))

    @classmethod
    def of(cls, blank: Address) -> "AddressTemplate":
        """Make a template of an address with open labels."""
        labels = {name: getattr(blank, name).labels for name in _TEXTS}
        in_query = frozenset().union(*(value.labels for _, value in blank.query))
        return cls(
            blank,
            in_query.union(*labels.values()),
            tuple(name for name in _TEXTS if labels[name]),
            bool(in_query),
        )

    @property
    def tenant_labels(self) -> frozenset[str]:
        """The labels that a tenant must fill. Without any it is one address for all tenants."""
        return self.labels - OWN_LABELS

    def fill(self, labels: Mapping[str, str]) -> Address:
        """Put values in place of labels. Raises ``KeyError`` with a label that has none."""
        filled = {name: getattr(self.blank, name).fill(labels) for name in self._open}
        if self._open_query:
            filled["query"] = tuple((key, text.fill(labels)) for key, text in self.blank.query)
        return replace(self.blank, **filled) if filled else self.blank


def _blank(url: Template, schema: Template, folder: str) -> Address:
    if url.parts and isinstance(url.parts[0], Secret):
        empty = UrlParts("", *(_NOTHING,) * 5, query=())
        return replace(_address(empty, schema, folder), whole=url)
    return _address(split(url), schema, folder)


def _address(url: UrlParts, schema: Template, folder: str) -> Address:
    return Address(**url._asdict(), schema=schema, whole=_NOTHING, folder=folder)


def _port(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError("a URL whose port is not a number")
    return int(text) if text else None


_NAMES_PASSWORD = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(:(?!//))([^@]*)(?=@)")
_PASSWORD_IN_QUERY = re.compile(
    r"([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)([^&]*)", re.IGNORECASE
)


def hidden(password: Template) -> str:
    """Return secrets by name, and nothing of a text that has any literal in it."""
    literal = any(isinstance(part, str) for part in password.parts)
    return "***" if literal else str(password)


def shown(key: str, value: Template) -> str:
    """Return a parameter of a URL for people."""
    return hidden(value) if _NAMES_PASSWORD.search(key) else str(value)


def without_password(url: Template) -> str:
    """Return a URL for people that can't be taken apart yet. It rather hides too much."""
    masked = Masked(url)

    def stars(match: re.Match[str]) -> str:
        return match[0] if masked.only_placeholders(match[2]) else f"{match[1]}***"

    text = _PASSWORD_IN_URL.sub(stars, masked.text, count=1)
    return str(masked.template(_PASSWORD_IN_QUERY.sub(stars, text)))
