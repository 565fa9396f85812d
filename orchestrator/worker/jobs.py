"""What a worker is asked to do: names only, never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Verb(StrEnum):
    """What a job does."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    STAMP = "stamp"
    STATUS = "status"
    CHECK = "check"
    SQL = "sql"
    REVISION = "revision"
    MERGE = "merge"
    HISTORY = "history"
    REVISIONS = "revisions"


@dataclass(frozen=True, slots=True)
class NewScript:
    """What ``alembic revision`` and ``alembic merge`` take, by Alembic's own names."""

    message: str = ""
    rev_id: str | None = None
    branch_label: str | None = None
    empty: bool = False
    """Without autogenerate."""
    head: str = "head"
    splice: bool = False
    version_path: str | None = None
    depends_on: tuple[str, ...] = ()
    revisions: tuple[str, ...] = ("heads",)
    """What to merge."""


@dataclass(frozen=True, slots=True)
class Job:
    """One verb on one target, or on one database's scripts where ``environment`` is empty.

    The worker reads ``config`` itself and refuses to work when its digest is another one.
    """

    verb: Verb
    config: Path
    digest: str
    database: str
    environment: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The tenant's labels; empty for a shared target."""
    revision: str = "heads"
    dry_run: bool = False
    purge: bool = False
    learn: bool = False
    """``status``: let ``env.py`` tell where its versions are, whatever seems plain without it."""
    x: tuple[str, ...] = ()
    """``KEY=VALUE`` of the command line, besides those of the file."""
    script: NewScript = NewScript()
    """What to write: ``revision`` and ``merge`` only."""
    rev_range: str | None = None
    """What to list: ``history`` only."""


@dataclass(frozen=True, slots=True)
class Running:
    """Sent by a worker when it reaches a revision."""

    revision: str
