"""Tenants from what exists: read their names off the names of databases, schemas, files."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config.template import Secret, Template
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.location import Location

# Stand for a tenant's name and for any other label. No name has them: they are for private use.
_TENANT = "\uf8fe"
_OTHER = "\uf8fd"

Resolve = Callable[[Secret], str]


@dataclass(frozen=True, slots=True)
class Outline:
    """Where the targets of a database are, with marks where tenants differ."""

    location: Location
    same_server: bool
    """Whether all tenants are on one server, with one user."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a tenant's name off the name of something that is the tenant's."""

    pattern: re.Pattern[str]
    literal: int
    """How much of the name is not the tenant's: of several readers the one with most is right."""

    def read(self, name: str) -> str | None:
        """Return the tenant's name, or ``None`` for what is no tenant's."""
        match = self.pattern.fullmatch(name)
        return match["tenant"] if match else None


def outline(template: AddressTemplate, own: Mapping[str, str], secret: Resolve) -> Outline:
    """Resolve an address as far as it is the same for all tenants; ``own`` are its own labels.

    Raises ``ValueError`` when a secret turns out not to be a URL.
    """
    labels = dict.fromkeys(template.labels, _OTHER) | {"tenant": _TENANT, "name": _TENANT, **own}

    def resolve(wanted: Secret) -> str:
        return _OTHER if marked(wanted.name) else secret(wanted)

    address = template.fill(labels).opened(resolve)
    moving_port = marked(address.port.resolve(resolve))
    location = replace(address, port=Template(()) if moving_port else address.port).resolve(resolve)
    texts = (location.username, location.password, location.host, *location.query.values())
    return Outline(location, not moving_port and not any(marked(str(text)) for text in texts))


def reader(text: str | None, what: str) -> Reader:
    """Return how to read tenants off ``text`` of an outline, which is its ``what``.

    Raises ``ValueError`` when the text does not say which part is the tenant's name.
    """
    text = text or ""
    if _OTHER in text:
        raise ValueError(f"a label other than {{tenant}} can't be read off {what}")
    first, *rest = map(re.escape, text.split(_TENANT))
    if not rest:
        raise ValueError(f"there is no {{tenant}} in {what}")
    pattern = f"{first}(?P<tenant>[^/]+){'(?P=tenant)'.join(rest)}"
    return Reader(re.compile(pattern, re.DOTALL), len(text))


def tenants_in(names: Iterable[str], readers: Sequence[Reader]) -> tuple[str, ...]:
    """Return the tenants that the names tell of, sorted, each once.

    A name is read by those readers whose literal text is longest: with ``{tenant}_orders`` and
    ``{tenant}_old_orders``, ``acme_old_orders`` tells of ``acme`` and of no ``acme_old``.
    """
    found: set[str] = set()
    for name in names:
        read = [(r.literal, tenant) for r in readers if (tenant := r.read(name)) is not None]
        longest = max((literal for literal, _ in read), default=0)
        found.update(tenant for literal, tenant in read if literal == longest)
    return tuple(sorted(found))


def like(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which ``%`` stands for anything, and nothing else for anything."""
    return re.compile(".*".join(map(re.escape, pattern.split("%"))), re.DOTALL)


def marked(text: str) -> bool:
    """Whether tenants differ in this part of an outline."""
    return _TENANT in text or _OTHER in text
