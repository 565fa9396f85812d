"""What is read of a target: its heads, and a digest of its schema."""

import hashlib
import os.path
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from orchestrator.dialects import Fault, Timeouts, dialect_of
from orchestrator.dialects.faults import NEXT_STEP, NO_SCHEMA_STEP, message_of, no_schema
from orchestrator.fleet.location import Location
from orchestrator.fleet.schema import Thing
from orchestrator.fleet.version_table import VersionTable
from orchestrator.rollout.outcomes import Failure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """A target to read."""

    target: str
    location: Location
    version_table: VersionTable
    timeouts: Timeouts
    max_per_server: int = 4
    """How many connections its server may get."""
    grants: bool = False
    """Whether owners and rights are part of its fingerprint."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at a target found."""

    target: str
    heads: tuple[str, ...] = ()
    """Sorted; empty where the version table is, or where there is none."""
    has_version_table: bool = True
    fingerprint: str | None = None
    """Equal for targets that Alembic would see no difference between; ``None`` if not asked for."""
    server: str = ""
    """Product and version."""
    invalid: tuple[str, ...] = ()
    """Indexes that are INVALID (PostgreSQL)."""
    folds: bool = False
    """The server takes two spellings of a database's name that differ in case as one."""
    not_own: str | None = None
    """What is wrong with its version table: it is another target's, too."""
    driver: str = ""
    """As SQLAlchemy writes it: ``mysql+pymysql``."""
    in_schema: bool = False
    """It is a schema of a database, not all of it."""
    identity: str = ""
    """Equal for targets that are one physical database or schema, and only for those: a digest."""
    failure: Failure | None = None
    """Why it could not be read."""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Everything in the schema of a target."""

    target: str
    things: tuple[Thing, ...] = ()
    failure: str | None = None
    """Why it could not be read."""


def located(source: Source, reading: Reading) -> Reading:
    """Return a reading with what its source tells of the place."""
    location = source.location
    own = location.schema if location.backend == "postgresql" else location.database
    return replace(
        reading,
        not_own=None if location.backend == "sqlite" else source.version_table.not_own(own),
        driver=location.driver,
        in_schema=location.schema is not None,
        identity=identity_of(location, folds=reading.folds),
    )


def identity_of(location: Location, *, folds: bool = False) -> str:
    """Return what tells a physical database or schema from others, without saying where it is."""
    database = location.database
    if database is not None and location.backend == "sqlite":
        database = os.path.realpath(database)
    elif database is not None and folds:
        database = database.lower()
    return fingerprint_of([replace(location, database=database).identity])


def fingerprint_of(parts: Iterable[object]) -> str:
    """Return a digest of what is in a schema, in 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(repr(part).encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()


def standing(source: Source, heads: Iterable[object], server: str = "") -> Reading:
    """Return the reading of a target whose version table holds ``heads``."""
    found = list(heads)
    if None in found:
        step = "see what its rows should be, and correct them by hand"
        return Reading(source.target, failure=Failure("its version table holds a NULL", step))
    return Reading(source.target, tuple(sorted(map(str, found))), server=server)


def unread(source: Source, error: BaseException) -> Reading:
    """Return the reading of a target that could not be read."""
    fault = dialect_of(source.location.backend).fault(error)
    failure = Failure(message_of(error), NEXT_STEP.get(fault))
    return Reading(source.target, failure=failure, fault=fault)


def nowhere(source: Source) -> Reading:
    """Return the reading of a target whose schema or database is not there."""
    name = source.location.schema or source.location.database
    return Reading(
        source.target, failure=Failure(no_schema(name), NO_SCHEMA_STEP), fault=Fault.MISSING
    )


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield ``items``, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
