"""upgrade, downgrade and stamp: one attempt at one target."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.fleet.version_table import VersionTable
from orchestrator.rollout.outcomes import Failure, Outcome, Revision, State
from orchestrator.worker.command_line import command_options
from orchestrator.worker.context import Context
from orchestrator.worker.environment import run_environment
from orchestrator.worker.failures import failure_of
from orchestrator.worker.heads import Heads, asked, learn_habits, read_heads
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.recorder import Recorder
from orchestrator.worker.run import Habits, Run, watched
from orchestrator.worker.scripts import Scripts, heads_after, revisions_of
from orchestrator.worker.session import Locked, Session, locked, open_session


@dataclass(frozen=True, slots=True)
class _Move:
    """From which heads to which, by which revisions."""

    before: Heads
    expected: Heads
    revisions: tuple[Revision, ...]
    steps: Sequence[Any]

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.steps) or self.expected != self.before


def migrate(job: Job, target: str, context: Context) -> Outcome:
    """Bring a target to ``job.revision``, under its lock, and read its heads again.

    ``DONE`` and ``UNCHANGED`` are said only when the version table, read after everything, shows
    exactly the heads that Alembic's own bookkeeping leads to.
    """
    try:
        if job.database not in context.habits:
            with _held(job, context) as session:
                learn_habits(job, context, session)
        with _held(job, context) as session:
            return _under_lock(job, target, context, session)
    except Locked as error:
        return Outcome(target, State.LOCKED, failure=_locked(str(error)))


@contextlib.contextmanager
def _held(job: Job, context: Context) -> Iterator[Session]:
    """Open a session with the job's target that holds its lock."""
    location, timeouts = context.location(job), context.timeouts(job)
    with open_session(location, timeouts, write=True) as session, locked(session) as held:
        yield held


def plan(job: Job, target: str, context: Context) -> Outcome:
    """Tell what ``migrate`` would do, without a lock and without changing anything."""
    scripts = context.scripts(job)
    with open_session(context.location(job), context.timeouts(job)) as session:
        heads, _ = read_heads(job, scripts, session, context)
    move = _move(job, scripts, heads)
    if not move.is_needed:
        return _nothing_to_do(job, target, scripts, move.before)
    return Outcome(target, State.PLANNED, move.before, move.expected, move.revisions)


def bring_to_head(scripts: Scripts, session: Session, x: Sequence[str], habits: Habits) -> None:
    """Upgrade a scratch database. Raises what the migration raises."""
    recorder = Recorder(session.engine, lambda _: None)

    def steps(heads: Heads, run: Run) -> Any:
        return watched(scripts.steps(Verb.UPGRADE, "heads", heads), run, recorder)

    arguments = command_options("upgrade", x, revision="heads")
    run_environment(
        scripts, session, steps, arguments, habits=habits, commits=True, destination_rev="heads"
    )


def _under_lock(job: Job, target: str, context: Context, session: Session) -> Outcome:
    scripts = context.scripts(job)
    before, table = read_heads(job, scripts, session, context)
    move = _move(job, scripts, before)
    if not move.is_needed:
        return _nothing_to_do(job, target, scripts, before)
    recorder = Recorder(session.engine, context.notify)
    try:
        moves, table = _run(job, scripts, session, context, recorder)
        session.assert_locked()
    except BaseException as error:  # noqa: BLE001 - a migration may raise anything
        failure = failure_of(error, session.location.backend, scripts.folders, recorder)
        now = _heads_now(session, table)
        crossed = set() if now is None else scripts.crossed(before, now)
        done = tuple(revision for revision in move.revisions if revision.id in crossed)
        return Outcome(target, State.FAILED, before, now or (), done, failure=failure)
    after, expected = session.heads(table), moves[-1].expected
    if after != expected:
        return Outcome(target, State.FAILED, before, after, failure=_elsewhere(after, expected))
    revisions = tuple(revision for move in moves for revision in move.revisions)
    return Outcome(target, State.DONE, moves[0].before, after, revisions)


def _run(
    job: Job, scripts: Scripts, session: Session, context: Context, recorder: Recorder
) -> tuple[list[_Move], VersionTable]:
    """Run ``env.py``, and tell how it moved the heads that it found, each time it asked."""
    moves: list[_Move] = []

    def steps(heads: Heads, run: Run) -> Any:
        move = _move(job, scripts, tuple(sorted(heads)))
        moves.append(move)
        stamps = job.verb is Verb.STAMP
        return move.steps if stamps else watched(list(move.steps), run, recorder)

    arguments, options = asked(job, context)
    if job.purge:
        options["purge"] = True
    habits = context.habits[job.database]
    run = run_environment(
        scripts, session, steps, arguments, habits=habits, commits=True, **options
    )
    session.assert_in_place(run.place)
    session.end_transaction()
    return moves, run.table


def _move(job: Job, scripts: Scripts, before: Heads) -> _Move:
    start = () if job.purge else before
    scripts.assert_known(start)
    steps = scripts.steps(job.verb, job.revision, start)
    revisions = () if job.verb is Verb.STAMP else revisions_of(steps)
    return _Move(before, heads_after(start, steps), revisions, steps)


def _nothing_to_do(job: Job, target: str, scripts: Scripts, heads: tuple[str, ...]) -> Outcome:
    if job.verb is not Verb.UPGRADE or not scripts.is_past(job.revision, heads):
        return Outcome(target, State.UNCHANGED, heads, heads)
    failure = Failure(
        message=f"it is at {_words(heads)}, past {job.revision}; nothing was done",
        next_step=f"to go back, `orchestrator downgrade {target} --revision {job.revision}`",
    )
    return Outcome(target, State.FAILED, heads, heads, failure=failure)


def _heads_now(session: Session, table: VersionTable) -> Heads | None:
    """Where a failed target stands, as far as the connection still tells."""
    try:
        return session.heads(table)
    except Exception:  # noqa: BLE001 - the first error is the news, whatever this one is
        return None


def _locked(holder: str) -> Failure:
    return Failure(
        message=f"locked by {holder}",
        next_step="wait until it is done; if nobody runs it any more, end that session",
    )


def _elsewhere(after: tuple[str, ...], expected: tuple[str, ...]) -> Failure:
    return Failure(
        message=(
            f"afterwards the version table says {_words(after)}, not {_words(expected)}: "
            "the migration was not committed there"
        ),
        next_step="check that env.py runs migrations within context.begin_transaction()",
    )


def _words(heads: tuple[str, ...]) -> str:
    return ", ".join(heads) or "nothing"
