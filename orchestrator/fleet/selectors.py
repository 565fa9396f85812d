"""Which targets a command is about: ``prod``, ``prod/orders``, ``prod/*/acme``."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.config.models import Config
from orchestrator.config.problems import did_you_mean
from orchestrator.errors import UsageError
from orchestrator.fleet.listing import some
from orchestrator.fleet.target import Target

_GLOB = re.compile(r"[*?\[]")
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Selector:
    """One to three patterns: of the environment, the database, the tenant.

    What is left out matches everything. A name that looks like a pattern matches itself, too.
    """

    text: str
    environment: str
    database: str = "*"
    tenant: str = "*"

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Parse a selector as people write it. Raises ``UsageError``."""
        parts = text.split("/")
        if len(parts) > 3 or not all(parts):
            raise UsageError(
                f"'{text}' is not a selector; write ENVIRONMENT, ENVIRONMENT/DATABASE or"
                " ENVIRONMENT/DATABASE/TENANT, where * stands for anything"
            )
        return cls(text, *parts)

    @property
    def literal(self) -> bool:
        """Whether it can only be the name of one target of a tenant."""
        return self.text.count("/") == 2 and not _GLOB.search(self.text)

    def matches(self, target: Target) -> bool:
        """Whether the target is selected. A shared target is every tenant's, and no one's."""
        return (
            _matches(target.environment, self.environment)
            and _matches(target.database, self.database)
            and (
                self.tenant == "*"
                if target.tenant is None
                else _matches(target.tenant, self.tenant)
            )
        )


def environments_needed(selectors: Sequence[Selector], config: Config) -> tuple[str, ...]:
    """Return the environments whose tenants must be known, in the order in which they run.

    Without selectors: the promotion path. Raises ``UsageError`` for a selector of an environment
    or database that the file does not have.
    """
    if not selectors:
        return config.order
    for selector in selectors:
        _check(selector, selector.environment, "environment", tuple(config.environments))
        _check(selector, selector.database, "database", tuple(config.databases))
    return tuple(
        name
        for name in dict.fromkeys((*config.order, *config.environments))
        if any(_matches(name, selector.environment) for selector in selectors)
    )


def select(
    targets: Sequence[Target],
    selectors: Sequence[Selector],
    where: Mapping[str, str],
    exclude: Sequence[Selector],
) -> tuple[Target, ...]:
    """Return the targets that some selector matches, that have all labels of ``where``, and that
    no selector of ``exclude`` matches, in their order. No selectors: all.

    Raises ``UsageError`` for a selector, a label or a value that matches nothing, listing what
    there is, and when nothing is left.
    """
    found = _selected(targets, selectors)
    for label, value in where.items():
        found = _where(found, label, value)
    excluded = {name for _, names in _matched(found, exclude) for name in names}
    left = tuple(target for target in found if target.name not in excluded)
    if not left:
        raise UsageError("no target is left" + (f" without {_words(exclude)}" if excluded else ""))
    return left


def _selected(targets: Sequence[Target], selectors: Sequence[Selector]) -> Sequence[Target]:
    if not selectors:
        return targets
    names: set[str] = set()
    for selector, matched in _matched(targets, selectors):
        if not matched:
            raise UsageError(_no_match(selector, targets))
        names.update(matched)
    return [target for target in targets if target.name in names]


def _matched(
    targets: Sequence[Target], selectors: Sequence[Selector]
) -> Iterator[tuple[Selector, Sequence[str]]]:
    # Somebody may pass the names of a thousand targets: look them up, rather than scan for each.
    known = {target.name for target in targets} if any(s.literal for s in selectors) else set()
    for selector in selectors:
        if selector.literal:
            yield selector, [selector.text] if selector.text in known else []
        else:
            yield selector, [target.name for target in targets if selector.matches(target)]


def _where(targets: Sequence[Target], label: str, value: str) -> Sequence[Target]:
    values = {t.labels[label]: None for t in targets if label in t.labels}
    if not values:
        labels = dict.fromkeys(name for target in targets for name in target.labels)
        raise UsageError(_nothing(f"no target has a label '{label}'", label, labels))
    if value not in values:
        raise UsageError(_nothing(f"no target has {label}={value}", value, values))
    return [target for target in targets if target.labels.get(label) == value]


def _check(selector: Selector, pattern: str, kind: str, known: Sequence[str]) -> None:
    if not any(_matches(name, pattern) for name in known):
        raise UsageError(_no_name(selector, kind, pattern, known))


def _no_match(selector: Selector, targets: Sequence[Target]) -> str:
    """Say which part of a selector matches nothing where the parts before it do."""
    patterns = (selector.environment, selector.database, selector.tenant)
    left = [(t.environment, t.database, t.tenant) for t in targets]
    for at, kind in enumerate(("environment", "database", "tenant")):
        known = dict.fromkeys(name for parts in left if (name := parts[at]) is not None)
        left = [parts for parts in left if _matches(parts[at] or "", patterns[at])]
        if not left:
            return _no_name(selector, kind, patterns[at], known)
    return f"'{selector}' matches no target"


def _no_name(selector: Selector, kind: str, pattern: str, known: Iterable[str]) -> str:
    what = f"no {kind} matches" if _GLOB.search(pattern) else f"there is no {kind}"
    inside = f" (in '{selector}')" if "/" in selector.text else ""
    return _nothing(f"{what} '{pattern}'{inside}", pattern, known)


def _nothing(what: str, word: str, known: Iterable[str]) -> str:
    names = list(known)
    there_are = f"there are: {some(names, _LISTED)}" if names else "there are none"
    return "\n  ".join(filter(None, (what, did_you_mean(word, names), there_are)))


def _words(selectors: Sequence[Selector]) -> str:
    return some([f"'{selector}'" for selector in selectors], _LISTED)


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)
