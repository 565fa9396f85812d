"""upgrade, downgrade and stamp: one attempt at one target."""

from dataclasses import dataclass
from typing import Any

from alembic.runtime.migration import MigrationContext

from orchestrator.rollout.outcomes import Failure, Outcome, Revision, State
from orchestrator.worker.context import Context
from orchestrator.worker.environment import run_environment, watched
from orchestrator.worker.failures import failure_of
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.recorder import Recorder
from orchestrator.worker.scripts import Scripts, heads_after, revisions_of
from orchestrator.worker.session import Locked, Session, locked, open_session


@dataclass(frozen=True, slots=True)
class _Move:
    """From which heads to which, by which revisions."""

    before: tuple[str, ...]
    expected: tuple[str, ...]
    revisions: tuple[Revision, ...]
    is_needed: bool


def migrate(job: Job, target: str, context: Context) -> Outcome:
    """Bring a target to ``job.revision``, under its lock, and read its heads again.

    ``DONE`` and ``UNCHANGED`` are said only when the version table, read after everything, shows
    exactly the heads that Alembic's own bookkeeping leads to.
    """
    scripts = context.scripts(job)
    with open_session(context.location(job), context.timeouts(job), write=True) as session:
        try:
            with locked(session) as held:
                return _under_lock(job, target, context, scripts, held)
        except Locked as error:
            return Outcome(target, State.LOCKED, failure=_locked(str(error)))


def plan(job: Job, target: str, context: Context) -> Outcome:
    """Tell what ``migrate`` would do, without a lock and without changing anything."""
    scripts = context.scripts(job)
    with open_session(context.location(job), context.timeouts(job)) as session:
        move = _move(job, scripts, session.heads(scripts.version_table))
    if not move.is_needed:
        return _nothing_to_do(job, target, scripts, move.before)
    return Outcome(target, State.PLANNED, move.before, move.expected, move.revisions)


def bring_to_head(scripts: Scripts, session: Session) -> None:
    """Upgrade a scratch database. Raises what the migration raises."""
    recorder = Recorder(session.engine, lambda _: None)
    _run(Verb.UPGRADE, "heads", scripts, session, recorder, purge=False)


def _under_lock(
    job: Job, target: str, context: Context, scripts: Scripts, session: Session
) -> Outcome:
    table = scripts.version_table
    before = session.heads(table)
    move = _move(job, scripts, before)
    if not move.is_needed:
        return _nothing_to_do(job, target, scripts, before)
    recorder = Recorder(session.engine, context.notify)
    try:
        _run(job.verb, job.revision, scripts, session, recorder, purge=job.purge)
        session.assert_locked()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a migration may raise anything
        failure = failure_of(error, session.location.backend, scripts.folder, recorder)
        return Outcome(target, State.FAILED, before, _heads_now(session, table), failure=failure)
    after = session.heads(table)
    if after != move.expected:
        return Outcome(
            target, State.FAILED, before, after, failure=_elsewhere(after, move.expected)
        )
    return Outcome(target, State.DONE, before, after, move.revisions)


def _move(job: Job, scripts: Scripts, before: tuple[str, ...]) -> _Move:
    start = () if job.purge else before
    scripts.assert_known(start)
    steps = scripts.steps(job.verb, job.revision, start)
    expected = heads_after(start, steps)
    revisions = () if job.verb is Verb.STAMP else revisions_of(steps)
    return _Move(before, expected, revisions, bool(steps) or expected != before)


def _nothing_to_do(job: Job, target: str, scripts: Scripts, heads: tuple[str, ...]) -> Outcome:
    if job.verb is not Verb.UPGRADE or not scripts.is_past(job.revision, heads):
        return Outcome(target, State.UNCHANGED, heads, heads)
    failure = Failure(
        message=f"it is at {_words(heads)}, past {job.revision}; nothing was done",
        next_step=f"to go back, `orchestrator downgrade {target} --revision {job.revision}`",
    )
    return Outcome(target, State.FAILED, heads, heads, failure=failure)


def _run(
    verb: str,
    revision: str,
    scripts: Scripts,
    session: Session,
    recorder: Recorder,
    *,
    purge: bool,
) -> None:
    def steps(heads: tuple[str, ...], _: MigrationContext) -> Any:
        found = scripts.steps(verb, revision, heads)
        return found if verb == Verb.STAMP else watched(found, scripts, session, recorder)

    options: dict[str, Any] = {"purge": True} if purge else {}
    run_environment(scripts, session, steps, destination_rev=revision, **options)


def _heads_now(session: Session, version_table: str) -> tuple[str, ...]:
    """Where a failed target stands, as far as the connection still tells."""
    try:
        return session.heads(version_table)
    except Exception:  # noqa: BLE001 - the first error is the news, whatever this one is
        return ()


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
