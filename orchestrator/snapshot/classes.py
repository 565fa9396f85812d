"""The schema classes of a fleet."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Outcome

Siblings = tuple[str, str, tuple[str, ...]]
"""A database, a dialect, heads: what targets have in common that should be one class."""
Schema = tuple[str, str, str]
"""A database, a dialect, a fingerprint: what targets of one schema have in common, wherever they
stand."""


@dataclass(frozen=True, slots=True)
class SchemaClass:
    """Targets of one database with equal heads and equal schemas, on servers of one dialect.

    The servers' versions may differ. Whoever compares a class with the models tells those apart,
    too: Alembic may see one schema differently on them.
    """

    database: str
    dialect: str
    """As the servers call themselves: ``MariaDB``."""
    heads: tuple[str, ...]
    fingerprint: str
    members: tuple[Target, ...]

    @property
    def schema(self) -> Schema:
        """What it has in common with classes of the same schema at other heads."""
        return self.database, self.dialect, self.fingerprint

    @property
    def siblings(self) -> Siblings:
        """What it has in common with other classes."""
        return self.database, self.dialect, self.heads


def dialect_of(outcome: Outcome) -> str:
    """Return what the target's server calls itself: ``MariaDB``."""
    return outcome.server_version.partition(" ")[0]


def by_schema(classes: Iterable[SchemaClass]) -> dict[Schema, list[SchemaClass]]:
    """Return classes by their schema, without those that are at no revision."""
    found: dict[Schema, list[SchemaClass]] = {}
    for of in classes:
        if of.heads:
            found.setdefault(of.schema, []).append(of)
    return found


def schema_classes(pairs: Iterable[tuple[Target, Outcome]]) -> list[SchemaClass]:
    """Return the classes of targets whose schemas were read.

    Databases come in order of appearance, in each of them siblings side by side, and everything
    else by size.
    """
    members: dict[tuple[str, str, tuple[str, ...], str], list[Target]] = {}
    for target, outcome in pairs:
        if outcome.fingerprint is not None:
            key = (target.database, dialect_of(outcome), outcome.heads, outcome.fingerprint)
            members.setdefault(key, []).append(target)
    found = [SchemaClass(*key, tuple(targets)) for key, targets in members.items()]
    databases = {of.database: at for at, of in reversed(list(enumerate(found)))}
    size: Counter[Siblings] = Counter()
    for of in found:
        size[of.siblings] += len(of.members)
    return sorted(
        found,
        key=lambda of: (
            databases[of.database],
            -size[of.siblings],
            of.siblings,
            -len(of.members),
        ),
    )
