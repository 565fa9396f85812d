"""Where a target is to go from where it stands, and where it may stand at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.rollout.outcomes import (
    LOOKED_AFTER,
    Failure,
    Outcome,
    Revision,
    State,
    inconsistent,
    past,
)
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.scripts.directory import (
    Scripts,
    UnknownRevision,
    heads_after,
    revisions_of,
)

Heads = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigrationPath:
    """From which heads to which, by which revisions."""

    now: Heads
    before: Heads
    """Where the run found it: with earlier attempts, not where it is now."""
    expected: Heads
    revisions: tuple[Revision, ...]
    """All between ``before`` and ``expected``."""
    steps: Sequence[Any]
    """What is left to do."""

    @property
    def way(self) -> tuple[Heads, Heads]:
        """From where it stands, to where."""
        return self.now, self.expected

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.steps) or self.expected != self.now


def path_of(job: Job, scripts: Scripts, now: Heads) -> MigrationPath:
    """Return what a job has to do where ``now`` is read. Raises ``UnknownRevision``, as Alembic.

    What is left of the way from ``job.origin``, so that ``+1`` stays what it was at first.
    """
    whole = None if job.origin is None else _way(job, scripts, _sorted(job.origin))
    left = None if whole is None else _left(job, scripts, whole, now)
    if whole is None or left is None:
        return _way(job, scripts, now)
    return replace(whole, now=now, steps=left)


def path_or_outcome(job: Job, target: str, scripts: Scripts, now: Heads) -> Outcome | MigrationPath:
    """Return what is to be done, or the outcome where nothing must be done or nothing is left.

    ``IN_DOUBT`` comes before everything else: a revision that had begun to
    commit, and is not complete by the version table, is never run again nor passed over.
    """
    doubt = _doubt(job, scripts, now)
    if doubt is not None:
        return Outcome(target, State.IN_DOUBT, _before(job, now), now, failure=doubt)
    moved = _moved(job, scripts, now)
    if moved is not None:
        return Outcome(target, State.FAILED, now, now, failure=moved)
    if job.verb is not Verb.STAMP and (found := _overlapping(target, scripts, now)) is not None:
        return Outcome(target, State.FAILED, now, now, failure=found)
    path = path_of(job, scripts, now)
    if not path.is_needed:
        return _nothing_to_do(job, target, scripts, path)
    if now == path.expected and now != path.before:  # stamp --purge could be done again
        return _reached(target, path)
    return _stands(job, target, scripts, path) if job.verify_only else path


def _overlapping(target: str, scripts: Scripts, now: Heads) -> Failure | None:
    scripts.assert_known(now)
    tops = scripts.tops(now)
    return inconsistent(target, now, tops) if len(tops) < len(now) else None


def _nothing_to_do(job: Job, target: str, scripts: Scripts, path: MigrationPath) -> Outcome:
    """The outcome of a target that is at its destination, or past it."""
    if path.before != path.now:
        return _reached(target, path)
    if job.verb is not Verb.UPGRADE or not scripts.is_past(job.revision, path.now):
        return Outcome(target, State.UNCHANGED, path.now, path.now)
    failure = past(target, path.now, job.revision)
    return Outcome(target, State.FAILED, path.now, path.now, failure=failure)


def crossed(scripts: Scripts, path: MigrationPath, now: Heads) -> tuple[Revision, ...]:
    """Return those revisions of a move that were done where ``now`` is read."""
    done = scripts.applied(path.before) ^ scripts.applied(now)
    return tuple(revision for revision in path.revisions if revision.id in done)


def words(heads: Heads) -> str:
    """Heads, for people."""
    return ", ".join(heads) or "nothing"


def _way(job: Job, scripts: Scripts, start: Heads) -> MigrationPath:
    """The whole way from ``start``."""
    begin = () if job.purge else start
    scripts.assert_known(begin)
    if job.back_to is None:
        steps = scripts.steps(job.verb, job.revision, begin)
    else:
        steps = scripts.steps_back(_sorted(job.back_to), begin)
    if job.verb is Verb.STAMP:
        return MigrationPath(start, start, heads_after(begin, steps), (), steps)
    revisions = revisions_of(steps)
    return MigrationPath(start, start, heads_after(begin, steps), revisions, steps)


def _left(job: Job, scripts: Scripts, whole: MigrationPath, now: Heads) -> Sequence[Any] | None:
    """The steps that are left of a way, ``None`` where ``now`` is not on it."""
    if now == whole.before:
        return whole.steps
    if job.purge:
        return () if now == whole.expected else None
    scripts.assert_known(now)
    if job.verb is Verb.STAMP:
        steps = list(whole.steps)
        while steps and heads_after(whole.before, steps) != now:
            steps.pop()
        return whole.steps[len(steps) :] if steps else None
    there = scripts.applied(now)
    ends = scripts.applied(whole.before), scripts.applied(whole.expected)
    if not ends[0] & ends[1] <= there <= ends[0] | ends[1]:
        return None
    left = [s for s in whole.steps if (s.revision.revision in there) is not s.is_upgrade]
    return left if heads_after(now, left) == whole.expected else None


def _doubt(job: Job, scripts: Scripts, now: Heads) -> Failure | None:
    if not job.committing:
        return None
    scripts.assert_known(now)
    there = scripts.applied(now)
    goes_up = job.verb is Verb.UPGRADE
    unfinished = [r for r in job.committing if (r in there) is not goes_up]
    if not unfinished:
        return None
    revision = unfinished[0]
    return Failure(
        message=(
            f"{revision} was interrupted, and may have begun to change the database; the version "
            f"table says {words(now)}: it may be half {'applied' if goes_up else 'reverted'}"
        ),
        next_step=(
            "compare the database with the revision; complete it by hand and stamp it, or "
            f"undo it by hand, then: {LOOKED_AFTER}"
        ),
        revision=revision,
        half_applied=True,
    )


def _moved(job: Job, scripts: Scripts, now: Heads) -> Failure | None:
    """Why a target is not where a plan can go on."""
    goal = job.back_to if job.goal is None else job.goal
    if job.origin is None and goal is None:
        return None
    origin = _before(job, now)
    try:
        whole = _way(job, scripts, origin)
    except UnknownRevision:
        if origin == now:
            raise
        return _other_place(now, origin)
    if _left(job, scripts, whole, now) is None:
        return _other_place(now, origin)
    if goal is None or whole.expected == _sorted(goal):
        return None
    return Failure(
        message=(
            f"from {words(origin)} it would end at {words(whole.expected)}; the plan says "
            f"{words(_sorted(goal))}"
        ),
        next_step="make a new plan",
        moved=True,
    )


def _other_place(now: Heads, origin: Heads) -> Failure:
    return Failure(
        message=f"it is at {words(now)}; the plan saw it at {words(origin)}",
        next_step="make a new plan",
        moved=True,
    )


def _reached(target: str, path: MigrationPath) -> Outcome:
    return Outcome(target, State.DONE, path.before, path.now, path.revisions)


def _stands(job: Job, target: str, scripts: Scripts, path: MigrationPath) -> Outcome:
    done = () if job.verb is Verb.STAMP else crossed(scripts, path, path.now)
    failure = Failure(
        message=f"it was interrupted; it stands at {words(path.now)}, nothing is half applied",
        next_step="to go on, `orchestrator retry` it",
    )
    return Outcome(target, State.FAILED, path.before, path.now, done, failure=failure)


def _before(job: Job, now: Heads) -> Heads:
    return now if job.origin is None else _sorted(job.origin)


def _sorted(heads: Sequence[str]) -> Heads:
    return tuple(sorted(heads))
