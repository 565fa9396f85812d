"""upgrade, downgrade and stamp: one attempt at one target."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DBAPIError

from orchestrator.fleet.version_table import VersionTable
from orchestrator.rollout.outcomes import SUCCEEDED, Failure, Outcome, State
from orchestrator.worker.connection.session import Locked, NoSchema, Session, locked, open_session
from orchestrator.worker.context import Context
from orchestrator.worker.environment.command_line import command_options
from orchestrator.worker.environment.env_py import run_environment
from orchestrator.worker.environment.execution import EnvPyProfile, Execution
from orchestrator.worker.environment.watching import watched
from orchestrator.worker.failures import at_the_beginning, failure_of, with_left_behind
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.migration.creating import create, drop_if_empty, is_missing
from orchestrator.worker.migration.heads import Heads, asked, learn_profile, read_heads
from orchestrator.worker.migration.path import (
    MigrationPath,
    crossed,
    path_of,
    path_or_outcome,
    words,
)
from orchestrator.worker.replay.confirming import Change, Confirmation, fingerprint
from orchestrator.worker.replay.player import Player
from orchestrator.worker.replay.recordings import Recordings
from orchestrator.worker.scripts.directory import Scripts
from orchestrator.worker.statements.journal import Journal
from orchestrator.worker.statements.recorder import StatementRecorder


def migrate(job: Job, target: str, context: Context) -> Outcome:
    """Bring a target to ``job.revision``, under its lock, and read its heads again.

    ``DONE`` and ``UNCHANGED`` are said only when the version table, read after everything, shows
    exactly the heads that Alembic's own bookkeeping leads to.
    """
    try:
        try:
            return _migrate(job, target, context)
        except (NoSchema, DBAPIError) as error:
            location = context.location(job)
            creation = context.creation(job) if is_missing(error, location) else None
            if creation is None or job.verb is not Verb.UPGRADE or location.backend == "sqlite":
                raise
        if made := create(location, context.timeouts(job), creation):
            context.made("created", ", ".join(made))
        return _migrate(job, target, context)
    except Locked as error:
        return Outcome(target, State.LOCKED, failure=_locked(str(error)))


def _migrate(job: Job, target: str, context: Context) -> Outcome:
    give_up = time.monotonic() + job.lock_wait
    if job.database not in context.profiles:
        with _held(job, context, give_up) as session:
            outcome = _before_env_py(job, target, context, session)
            if outcome is not None:
                return outcome
            if job.database not in context.profiles:
                learn_profile(job, context, session)
    with _held(job, context, give_up) as session:
        outcome = _under_lock(job, target, context, session)
        if job.drops and outcome.state in SUCCEEDED and not outcome.heads:
            _, table = read_heads(job, context.scripts(job), session, context)
            context.made(*drop_if_empty(session, table))
        return outcome


@contextlib.contextmanager
def _held(job: Job, context: Context, give_up: float) -> Iterator[Session]:
    """Open a session with the job's target that holds its lock, tried for until ``give_up``."""
    location, timeouts = context.location(job), context.timeouts(job)
    with (
        open_session(location, timeouts, write=True, arguments=context.arguments(job)) as session,
        contextlib.ExitStack() as stack,
    ):
        yield _locked_at_last(session, stack, give_up, context.waits)


def _locked_at_last(
    session: Session,
    stack: contextlib.ExitStack,
    give_up: float,
    waits: Callable[[str], bool],
) -> Session:
    while True:
        try:
            return stack.enter_context(locked(session))
        except Locked as error:
            if time.monotonic() >= give_up or not waits(str(error)):
                raise


def _before_env_py(job: Job, target: str, context: Context, session: Session) -> Outcome | None:
    """Where an earlier attempt may have left something half done, look before anything is run."""
    if not job.committing and not job.verify_only:
        return None
    scripts = context.scripts(job)
    heads, _ = read_heads(job, scripts, session, context)
    found = path_or_outcome(job, target, scripts, heads)
    return found if isinstance(found, Outcome) else None


def plan(job: Job, target: str, context: Context) -> Outcome:
    """Tell what ``migrate`` would do, without a lock and without changing anything."""
    scripts = context.scripts(job)
    heads = job.heads
    if heads is None:
        with open_session(context.location(job), context.timeouts(job)) as session:
            heads, _ = read_heads(job, scripts, session, context)
    path = path_or_outcome(job, target, scripts, heads)
    if isinstance(path, Outcome):
        return path
    return Outcome(target, State.PLANNED, path.before, path.expected, path.revisions)


def bring_to_head(
    scripts: Scripts, session: Session, x: Sequence[str], profile: EnvPyProfile, destination: str
) -> VersionTable:
    """Upgrade a scratch database, and return its version table. Raises what the migration does."""
    recorder = StatementRecorder(session.engine, lambda _: None)

    player = Player(Recordings(refused=True), session, scripts, recorder)

    def steps(heads: Heads, run: Execution) -> Any:
        found = scripts.steps(Verb.UPGRADE, destination, heads)
        return watched(found, heads, run, recorder, player)

    arguments = command_options("upgrade", x, revision=destination)
    run = run_environment(
        scripts,
        session,
        steps,
        arguments,
        profile=profile,
        commits=True,
        destination_rev=destination,
    )
    return run.table


def _under_lock(job: Job, target: str, context: Context, session: Session) -> Outcome:
    scripts = context.scripts(job)
    before, table = read_heads(job, scripts, session, context)
    path = path_or_outcome(job, target, scripts, before)
    if isinstance(path, Outcome):
        return path
    recorder = StatementRecorder(session.engine, context.notify)
    player = _player(job, scripts, session, context, recorder)
    confirmation = context.confirmations(job).of((job.verb, path.way))
    looks = player.knows_some and confirmation.wants_fingerprints
    schema = fingerprint(target, session) if looks else None
    try:
        paths, table = _run(job, scripts, session, context, recorder, player)
    except BaseException as error:  # noqa: BLE001 - a migration may raise anything
        failure = failure_of(error, session.location.backend, scripts.folders, recorder)
        first = None if path.now or not path.revisions else path.revisions[0].id
        failure = at_the_beginning(
            failure, error, session.location.backend, target, first, recorder
        )
        failure = with_left_behind(failure, _left_behind(session, failure))
        now = _heads_now(session, table)
        if now is None and job.recorded:
            failure = replace(failure, unseen=True, retryable=False)
        done = () if now is None else crossed(scripts, path, now)
        return Outcome(target, State.FAILED, path.before, now or (), done, failure=failure)
    after, expected = session.heads(table), paths[-1].expected
    if after != expected:
        failure = _elsewhere(after, expected)
        return Outcome(target, State.FAILED, path.before, after, failure=failure)
    revisions = tuple(revision for path in paths for revision in path.revisions)
    began = paths[0].before if job.origin is None else path.before
    if looks:
        change = Change(target, schema, fingerprint(target, session))
        whole = player.replayed == len(revisions)
        _compare(player, confirmation, change, context, whole=whole)
    return Outcome(target, State.DONE, began, after, revisions, replayed=player.replayed)


def _compare(
    player: Player, confirmation: Confirmation, change: Change, context: Context, *, whole: bool
) -> None:
    """Compare a target's schema with one whose revisions were built; say where they differ.

    ``whole``: all of its revisions were replayed. What was built may be the target's own.
    """
    if not player.replayed:
        confirmation.note_built(change)
    elif not whole:
        confirmation.pass_over()
    elif confirmation.differs(change) and confirmation.built:
        player.refuse()
        other = confirmation.built.target
        context.made("differs", f"its revisions were replayed, and its schema is not {other}'s")


def _run(
    job: Job,
    scripts: Scripts,
    session: Session,
    context: Context,
    recorder: StatementRecorder,
    player: Player,
) -> tuple[list[MigrationPath], VersionTable]:
    """Run ``env.py``, and tell how it moved the heads that it found, each time it asked."""
    paths: list[MigrationPath] = []
    journal = _journal(job, session, context)

    def steps(heads: Heads, run: Execution) -> Any:
        path = path_of(job, scripts, tuple(sorted(heads)))
        paths.append(path)
        stamps = job.verb is Verb.STAMP
        if stamps:
            return path.steps
        return watched(list(path.steps), heads, run, recorder, player, journal)

    arguments, options = asked(job, context)
    if job.purge:
        options["purge"] = True
    profile = context.profiles[job.database]
    context.begins()
    try:
        run = run_environment(
            scripts, session, steps, arguments, profile=profile, commits=True, **options
        )
    finally:
        player.close()
        if journal is not None:
            journal.close()
    session.assert_own(run.place)
    return paths, run.table


def _player(
    job: Job, scripts: Scripts, session: Session, context: Context, recorder: StatementRecorder
) -> Player:
    """What replays revisions where that is wanted, and builds them elsewhere."""
    wanted = job.replay and scripts.database.replay
    recordings = context.recordings(job) if wanted else Recordings(refused=True)
    return Player(recordings, session, scripts, recorder)


def _journal(job: Job, session: Session, context: Context) -> Journal | None:
    if not job.recorded:
        return None
    return Journal(
        context.record,
        transactional_ddl=session.dialect.transactional_ddl,
        mysql=session.location.backend in {"mysql", "mariadb"},
    )


def _left_behind(session: Session, failure: Failure) -> list[tuple[str, str]]:
    """What the failed statement left, as far as the connection still tells."""
    sql = session.dialect.left_behind(failure.statement or "")
    if sql is None:
        return []
    try:
        return [(str(name), str(removes)) for name, removes in session.rows(sql)]
    except Exception:  # noqa: BLE001 - the first error is the news, whatever this one is
        return []


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
            f"afterwards the version table says {words(after)}, not {words(expected)}: "
            "the migration was not committed there"
        ),
        next_step="check that env.py runs migrations within context.begin_transaction()",
    )
