"""What became of a target, as values that workers send and commands render."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What became of one target in one command."""

    # upgrade, downgrade, stamp
    DONE = "done"  # it is at the requested heads, and was changed to be
    UNCHANGED = "unchanged"  # it was there before
    PLANNED = "planned"  # dry run: it would be changed
    FAILED = "failed"
    LOCKED = "locked"  # somebody else holds its lock
    IN_DOUBT = "in_doubt"  # its worker is gone and nobody saw the end
    BLOCKED = "blocked"  # not started: something it depends on did not succeed
    NOT_STARTED = "not_started"  # not started: the run ended or was interrupted before
    SKIPPED = "skipped"  # somebody decided to go on without it
    # status
    CURRENT = "current"
    BEHIND = "behind"
    EMPTY = "empty"
    UNVERSIONED = "unversioned"  # no revision, and something is there all the same
    UNKNOWN_REVISION = "unknown_revision"
    INCONSISTENT = "inconsistent"  # at a revision, and at one that comes before it
    UNREACHABLE = "unreachable"
    # check (with behind and unreachable)
    IN_SYNC = "in_sync"
    DIFFERS = "differs"


UNKNOWN_REVISION_STEP = (
    "deploy the scripts that have it, or forget it: orchestrator stamp … --revision REV --purge"
)
RUN_TARGET = "RUN TARGET"
"""In next steps of those who don't know which run it is; whoever does writes that in."""
RETRY = f"orchestrator retry {RUN_TARGET}"
LOOKED_AFTER = f"{RETRY}; or, for another revision, orchestrator skip {RUN_TARGET} --reason …"
"""How to say that what was half applied is undone."""
SUCCEEDED = frozenset({State.DONE, State.UNCHANGED, State.PLANNED})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a target failed. Holds no secret: redacted before it leaves the worker."""

    message: str
    """The cause, in the database's own words where it has some."""
    next_step: str | None = None
    """What to do about it."""
    revision: str | None = None
    """The revision that was running."""
    statement: str | None = None
    """The SQL statement that failed, without its parameters."""
    executed: tuple[str, ...] = ()
    """Statements of the failed revision that ran before it."""
    half_applied: bool = False
    """The server could not roll back what ``executed`` lists: no run goes on before somebody
    looked."""
    retryable: bool = False
    """Nothing was changed yet, and it may go better next time."""
    traceback: str | None = None
    """For ``--debug``."""
    unseen: bool = False
    """The connection was lost: nobody knows what became of the last statement."""
    exhausted: bool = False
    """The server ran out of something: it may go better with fewer targets at once."""
    moved: bool = False
    """The target is not where the plan saw it, or would not end where the plan says."""


def inconsistent(target: str, heads: Sequence[str], tops: Sequence[str]) -> Failure:
    """Return what is wrong with heads of which some come before ``tops``, the others."""
    below = sorted({head for head in heads if head not in tops}) or sorted(set(heads))
    twice = "twice" if len(set(heads)) < len(heads) else f"and {', '.join(below)} before it"
    return Failure(
        message=f"its version table has {', '.join(tops)} {twice}: no upgrade leads from there",
        next_step=f"orchestrator stamp {target} --revision {','.join(tops)} --purge",
    )


def past(target: str, heads: Sequence[str], destination: str) -> Failure:
    """Return why an upgrade does nothing: its destination is behind where the target is."""
    return Failure(
        message=f"it is at {', '.join(heads)}, past {destination}; nothing was done",
        next_step=f"to go back, `orchestrator downgrade {target} --revision {destination}`",
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference that autogenerate found between the models and a database."""

    kind: str
    """Alembic's name of the operation that would fix it: ``add_column``, ``remove_index``, …"""
    text: str
    """The difference as a line for people: ``missing column items.note (VARCHAR(50))``."""
    table: str | None = None
    name: str | None = None
    """The column, index or constraint."""
    database_value: str | None = None
    model_value: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a migration history."""

    id: str
    message: str
    down: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    is_head: bool = False
    path: str | None = None
    depends_on: tuple[str, ...] = ()
    """Revisions of other branches that must be there before it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target."""

    target: str
    state: State
    heads_before: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    """Its heads afterwards, as read again from the version table."""
    revisions: tuple[Revision, ...] = ()
    """Applied (or reverted) by this command, to be applied (dry run), or pending (status)."""
    differences: tuple[Difference, ...] = ()
    fingerprint: str | None = None
    """Of its schema, where it was read."""
    server_version: str = ""
    """What runs there: ``MariaDB 10.11.6``; empty where nobody asked."""
    invalid_indexes: tuple[str, ...] = ()
    """INVALID ones of PostgreSQL, where it was read: their building failed, or goes on."""
    failure: Failure | None = None
    blocked_by: str | None = None
    replayed: int = 0
    """Of its revisions, those that were sent as they were recorded on other targets."""
    attempts: int = 0
    seconds: float = 0.0
    output: str = ""
    """What the migration printed, redacted."""
    data: Any = None
    """What a job without a target returns: a file's path, a list of revisions, SQL."""

    @property
    def exhausted(self) -> bool:
        """Whether its server ran out of something."""
        return self.failure is not None and self.failure.exhausted
