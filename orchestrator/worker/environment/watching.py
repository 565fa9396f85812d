"""What runs a revision for a target: its own function, watched, or what was recorded of it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from orchestrator.worker.environment.execution import Execution
from orchestrator.worker.replay.player import Player
from orchestrator.worker.replay.recording import Recording
from orchestrator.worker.statements.journal import Journal
from orchestrator.worker.statements.recorder import StatementRecorder


def watched(
    steps: list[Any],
    heads: tuple[str, ...],
    run: Execution,
    recorder: StatementRecorder,
    player: Player,
    journal: Journal | None = None,
) -> Iterator[Any]:
    """Give out steps that tell recorder and journal when they start and end; watch the session.

    A lock is lost only with its connection, and the session's own never reconnects: on a
    direct one the first check is enough. A pooler could swap the server's session at any time.
    Where unqualified names lead is asked after each revision that is built. ``player`` replays
    those of which it knows what they send.
    """
    run.connections.journal = journal
    if journal is not None:
        journal.expect([step.revision.revision for step in steps])
    player.begin(run, heads, journal)
    for number, step in enumerate(steps):
        check = run.session.pooled or not number
        recording = player.recording_of(step)
        if recording is not None:
            step.migration_fn = _replayed(step, run, player, recording, check=check)
        else:
            step.migration_fn = _watched(step, run, recorder, player, check=check)
        yield step
        player.moved(step)
    player.flush()


def told(steps: list[Any], recorder: StatementRecorder) -> Iterator[Any]:
    """Give out steps that tell ``recorder`` when they start and end, and nobody else."""
    for step in steps:
        step.migration_fn = _told(step, recorder)
        yield step


def _told(step: Any, recorder: StatementRecorder) -> Callable[..., None]:
    revision, function = step.revision.revision, step.migration_fn

    @wraps(function)
    def migration_fn(**arguments: Any) -> None:
        recorder.begin(revision)
        function(**arguments)
        recorder.end()

    return migration_fn


def _replayed(
    step: Any, run: Execution, player: Player, recording: Recording, *, check: bool
) -> Callable[..., None]:
    @wraps(step.migration_fn)  # Alembic logs it by its name
    def migration_fn(**_: Any) -> None:
        try:
            if check:
                run.session.assert_own(run.place)
            player.stage(recording)
        except BaseException as error:
            run.error = error
            raise

    return migration_fn


def _watched(
    step: Any, run: Execution, recorder: StatementRecorder, player: Player, *, check: bool
) -> Callable[..., None]:
    revision, journal = step.revision.revision, run.connections.journal

    @wraps(step.migration_fn)  # Alembic logs it by its name
    def migration_fn(**arguments: Any) -> None:
        try:
            if check:
                run.session.assert_own(run.place)
            if recorder.begin(revision) and not (journal and journal.covers(revision)):
                os._exit(0)  # as if killed: what was not recorded would be done unseen
            function = run.scripts.fresh(step)
            player.builds(step)
            with run.connections.revising(), _journaled(revision, journal):
                function(**arguments)
            recorder.end()
            player.was_built()
            run.session.assert_in_place(run.place)
            player.is_about_to_move()
        except BaseException as error:
            run.error = error
            raise

    return migration_fn


@contextlib.contextmanager
def _journaled(revision: str, journal: Journal | None) -> Iterator[None]:
    if journal is None:
        yield
        return
    journal.begin(revision)
    try:
        yield
    finally:
        journal.end()
