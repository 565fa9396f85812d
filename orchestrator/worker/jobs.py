"""What a worker is asked to do: names only, never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

from orchestrator.fleet.location import Location
from orchestrator.inspection.querying import Query
from orchestrator.inspection.subject import Subject


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
    WALK = "walk"
    EXAMINE = "examine"
    HISTORY = "history"
    REVISIONS = "revisions"
    READ = "read"
    THINGS = "things"
    QUERY = "query"
    PROBE = "probe"


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
class Walked:
    """A scratch database that a history is walked on: one command's own."""

    name: str
    """The database, beside the scratch database that the file names; on SQLite the file's path."""
    backend: str
    begins: bool = False
    """It is to be made."""
    charset: str | None = None
    collation: str | None = None

    def at(self, scratch: Location | None) -> Location:
        """Return where it is. ``scratch`` is what the file names; SQLite needs none."""
        if scratch is None:
            return Location("sqlite", None, None, None, None, self.name, {}, None)
        return replace(scratch, database=self.name)


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
    heads: tuple[str, ...] | None = None
    """``dry_run``: where the target was read to stand; it is not connected to, and ``env.py`` does
    not run."""
    purge: bool = False
    learn: bool = False
    """``status``: let ``env.py`` tell where its versions are, whatever seems plain without it."""
    x: tuple[str, ...] = ()
    """``KEY=VALUE`` of the command line, besides those of the file."""
    script: NewScript = NewScript()
    """What to write: ``revision`` and ``merge`` only."""
    rev_range: str | None = None
    """What to list: ``history`` only."""
    back_to: tuple[str, ...] | None = None
    """``downgrade``: the heads to go back to, in place of ``revision``; none of them is base."""
    goal: tuple[str, ...] | None = None
    """The heads that it must end at exactly; nothing is done where it would end elsewhere."""
    origin: tuple[str, ...] | None = None
    """Where the run found the target at first; it must be there, at the end, or between."""
    recorded: bool = False
    """Whether each revision is recorded before it changes what can't be rolled back with it."""
    committing: tuple[str, ...] = ()
    """Revisions that earlier attempts of the run had recorded so."""
    lock_wait: float = 0.0
    """For how many seconds the target's lock is tried for: a server may still work for a client
    that is dead."""
    drops: bool = False
    """``downgrade`` to nothing: take away the database or schema that an upgrade had made, if it is
    empty then."""
    scripts_only: bool = False
    """``examine``: without running ``env.py``."""
    walked: Walked | None = None
    """``walk`` only."""
    replay: bool = True
    """Whether revisions may be replayed, if the file lets them."""
    verify_only: bool = False
    """Tell what became of an earlier attempt, and change nothing."""
    revision_digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files of revisions, as they were when the run was planned: nothing is done
    where one is another here. Only for workers on other machines."""
    worker: str = ""
    """What the worker is called, where it is on another machine."""
    subjects: tuple[Subject, ...] = ()
    """What to look at, without anything of its scripts: ``read``, ``things``, ``query`` and
    ``probe`` only. The job's own target is one of them."""
    query: Query | None = None
    """``query`` only."""
    schemas: bool = False
    """``read``: with fingerprints of their schemas."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is to be known of a database before its first run."""

    heads: tuple[str, ...] = ()
    revisions: int = 0
    unreadable: str | None = None
    """Why its revisions can't be loaded."""
    one_way: tuple[str, ...] = ()
    """Revisions without ``downgrade()``."""
    reads: tuple[str, ...] = ()
    """Environment variables that its code asked for; ``*`` stands for all that there are."""
    unset: tuple[str, ...] = ()
    """Those of them that are not set."""
    of_its_own: tuple[str, ...] = ()
    """Why what autogenerate finds is one target's alone, if it is."""


@dataclass(frozen=True, slots=True)
class Running:
    """Sent by a worker when it reaches a revision."""

    revision: str


@dataclass(frozen=True, slots=True)
class Committing:
    """Sent by a worker before a revision changes what can't be rolled back; it waits for ``Go``."""

    revision: str
    statement: str
    """The first words of it, without literals, redacted."""
    following: tuple[str, ...] = ()
    """Revisions right after it that may do so, too, without another ``Committing``."""
    waits: bool = True
    """Not where it only says that fewer are ``following`` than were asked for."""


@dataclass(frozen=True, slots=True)
class Made:
    """Sent by a worker that has made a database or schema, taken one away, or has not."""

    what: Literal["created", "dropped", "kept", "differs"]
    """``differs``: replaying left it in another state than building would have."""
    detail: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sent by a worker that waits for its target's lock, and again every half minute."""

    holder: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Sent to a worker that waits for a lock: it is to wait no more."""


@dataclass(frozen=True, slots=True)
class Go:
    """The answer to ``Committing``: whether it was recorded, and the revision may go on."""

    ok: bool


@dataclass(frozen=True, slots=True)
class Here:
    """A machine that works for others: it has a copy of the project."""

    config: Path
    """Its own ``environments.toml``."""
    name: str
    """What it is called."""


def other_version(worker: str, what: str) -> str:
    """Say that a worker on another machine would not do what a run means."""
    return (
        f"worker {worker} has another version of {what}; "
        "deploy the same to every worker, and start them again"
    )
