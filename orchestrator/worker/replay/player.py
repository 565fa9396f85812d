"""Takes the place of a revision's own function where what it sends was recorded and proved."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy.sql.dml import UpdateBase

from orchestrator.worker.connection.session import Session
from orchestrator.worker.replay.recording import Recorder, Recording, Sent
from orchestrator.worker.replay.recordings import Recordings, Situation
from orchestrator.worker.replay.sending import COMMIT, ONE_ROW, Failed, Sender
from orchestrator.worker.replay.surroundings import surroundings_of
from orchestrator.worker.scripts.directory import Scripts, heads_after
from orchestrator.worker.statements.journal import AT_ONCE, SLOW, Journal
from orchestrator.worker.statements.recorder import StatementRecorder


@dataclass
class _Staged:
    """A revision that is to be sent, and what of its version row Alembic has asked for so far."""

    recording: Recording
    version: list[Sent] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return len(self.version) == len(self.recording.version)

    def everything(self, *, commits: bool) -> Iterator[Sent]:
        """All that is to be sent; ``commits``: no COMMIT where one moved no version row."""
        yield from self.recording.statements
        for sent in self.version:
            yield sent
            if commits and not _inserts(sent):
                yield ONE_ROW
        if commits:
            yield COMMIT


class Run(Protocol):
    """What the player must know of the run of ``env.py`` that it is part of."""

    environment: EnvironmentContext
    place: str | None
    error: BaseException | None


class _Moved:
    """Stands for the result of a statement that is sent later, and is checked then."""

    rowcount = 1


class Player:
    """Records the revisions of one target as they are built, or sends what is recorded of them.

    Guarantees: what is sent is what two other targets got, in the same order, for the same heads,
    under the same configuration of Alembic, on a server that says the same of itself. Alembic moves
    its version row by its own rules; each such statement must change one row. The journal has seen
    each statement before it is sent.
    """

    def __init__(
        self,
        recordings: Recordings,
        session: Session,
        scripts: Scripts,
        recorder: StatementRecorder,
    ) -> None:
        self.replayed = 0
        """Revisions that were sent from recordings."""
        self._journal: Journal | None = None
        self._run: Run
        self._recordings = recordings
        self._session = session
        self._scripts = scripts
        self._recorder = recorder
        self._heard = Recorder(session)
        self._sender = Sender(session.connection)
        self._staged: list[_Staged] = []
        self._surroundings: Any = None
        self._heads: tuple[str, ...] = ()
        self._situation: Situation | None = None
        """Of the revision that is being recorded."""
        self._context: MigrationContext | None = None
        self._joins = False
        self._commits = False
        """Each revision that is staged is committed by what is sent."""

    @property
    def knows_some(self) -> bool:
        """Whether anything is recorded that may be replayed, on this target or a later one."""
        return not self._recordings.is_empty

    def begin(self, run: "Run", heads: tuple[str, ...], journal: Journal | None) -> None:
        """Migrations are about to run from ``heads``.

        ``journal`` is asked before anything is sent that can't be rolled back.
        """
        self._run, self._heads, self._journal = run, tuple(sorted(heads)), journal
        self._surroundings = None
        context = run.environment.get_context()
        if not self._recordings.refused:
            self._surroundings = surroundings_of(self._session, context)
        if self._surroundings is None:
            return
        per_migration = context._transaction_per_migration or not context.impl.transactional_ddl
        self._joins = self._sender.joins_revisions and not per_migration
        if self._context is not context:
            self._context = context
            self._take_over(context)

    def recording_of(self, step: Any) -> Recording | None:
        """Return what is to be sent in place of what a step's revision would build."""
        if self._surroundings is None:
            return None
        return self._recordings.proved(self._situation_of(step))

    def stage(self, recording: Recording) -> None:
        """Send a recording, or soon: at the latest with ``flush``.

        One that is slow is sent alone, so that it is told which one runs. Where each commits, no
        more are sent together than one record covers.
        """
        if recording.seconds > SLOW or len(self._staged) == AT_ONCE:
            self.flush()
        self._commits = self._sender.takes_commit and self._alembic_commits
        self._staged.append(_Staged(recording))

    def builds(self, step: Any) -> None:
        """A step's revision is about to be built."""
        self.flush()
        self._sender.close()
        self._situation = None
        if self._surroundings is None:
            return
        situation = self._situation_of(step)
        code = self._scripts.code[str(step.revision.path)]
        if self._recordings.may_record(situation, step, code):
            self._situation = situation
            self._heard.begin(step.revision.revision)

    def was_built(self) -> None:
        """The revision's function returned."""
        self._heard.end()

    def is_about_to_move(self) -> None:
        """All that comes now moves Alembic's version row."""
        self._heard.hear_version()

    def moved(self, step: Any) -> None:
        """Alembic has moved its version row."""
        self._sender.skip_no_commit()
        self._heads = heads_after(self._heads, [step])
        if self._situation is not None:
            recording = self._heard.recording()
            self._recordings.note(self._situation, recording, self._heard.doubt)
            self._situation = None
        if self._staged and not self._staged[-1].is_complete:
            raise CommandError("Alembic moved the version row in another way than it did before")

    def flush(self) -> None:
        """Send what is staged."""
        staged, self._staged = self._staged, []
        if not staged:
            return
        try:
            self._send(staged)
        except BaseException as error:
            self._run.error = error
            raise
        self.replayed += len(staged)

    def refuse(self) -> None:
        """Replaying did not lead where building does: nothing of the history is replayed more."""
        self._recordings.refused = True

    def close(self) -> None:
        """Nothing is sent any more."""
        self._staged = []
        with contextlib.suppress(Exception):  # one that is lost is told when it is next used
            self._sender.close()

    def _situation_of(self, step: Any) -> Situation:
        revision = step.revision.revision
        return Situation(revision, step.is_upgrade, self._heads, self._surroundings)

    def _take_over(self, context: MigrationContext) -> None:
        """Let what moves the version row of a recorded revision be sent with it."""
        impl: Any = context.impl
        execute = impl._exec

        def executed(construct: Any, *arguments: Any, **options: Any) -> Any:
            staged = self._staged[-1] if self._staged else None
            if staged is None or staged.is_complete or not _moves(construct, context):
                return execute(construct, *arguments, **options)
            staged.version.append(staged.recording.version[len(staged.version)])
            slow = staged.recording.seconds > SLOW
            if staged.is_complete and (slow or not (self._joins or self._commits)):
                self.flush()
            if self._commits:
                self._sender.skip_commit()
            return _Moved

        impl._exec = executed

    def _send(self, staged: list[_Staged]) -> None:
        revision, commits = staged[0].recording.revision, self._commits
        if self._recorder.begin(revision) and not self._covers(revision):
            os._exit(0)  # as if killed: what was not recorded would be done unseen
        if self._journal is not None:
            for one in staged:
                self._ask(self._journal, one.recording)
        parts = [list(one.everything(commits=commits)) for one in staged]
        everything = [sent for part in parts for sent in part]
        try:
            counts = self._sender.send(everything)
        except Failed as failed:
            if commits:
                self._roll_back()
            at = self._tell(parts, staged, failed.at)
            if everything[failed.at] is ONE_ROW:
                raise _not_moved(staged[at]) from failed.error.orig
            raise failed.error from failed.error.orig
        finally:
            if self._journal is not None:
                self._journal.end()
        self._tell(parts, staged, len(everything))
        self._assert_moved(staged, parts, counts)
        if self._joins:
            self._session.assert_in_place(self._run.place)

    @property
    def _alembic_commits(self) -> bool:
        """Whether Alembic commits right after the version row is moved, and nobody else does."""
        return (
            self._context is not None
            and self._context._transaction is not None
            and not self._context._in_external_transaction
        )

    def _roll_back(self) -> None:
        """What SQLAlchemy believes to be committed may be the begin of a revision that failed."""
        with contextlib.suppress(Exception):  # the error before this one is told
            if not self._session.connection.invalidated:
                self._session.connection.connection.rollback()

    def _covers(self, revision: str) -> bool:
        return self._journal is not None and self._journal.covers(revision)

    def _ask(self, journal: Journal, recording: Recording) -> None:
        journal.begin(recording.revision)
        for sent in recording.statements:
            journal.session(self._session.connection, sent.statement)

    def _tell(self, parts: list[list[Sent]], staged: list[_Staged], done: int) -> int:
        """Tell the report which statements were executed, and at which one it ended.

        Returns the index of the revision that it ended in; the last one if there was no end.
        """
        for at, (part, one) in enumerate(zip(parts, staged, strict=True)):
            executed = [sent.statement for sent in part[:done] if not _is_ours(sent)]
            failed = part[done] if done < len(part) else None
            told = None if failed is None or _is_ours(failed) else failed.statement
            self._recorder.replayed(one.recording.revision, executed, told)
            if failed is not None:
                return at
            if part[-1] is COMMIT:
                self._recorder.committed_whole()
            done -= len(part)
        return len(parts) - 1

    def _assert_moved(
        self, staged: list[_Staged], parts: list[list[Sent]], counts: list[int]
    ) -> None:
        if not self._session.connection.dialect.supports_sane_rowcount:
            return
        changed = iter(counts)
        for one, part in zip(staged, parts, strict=True):
            rows = [(sent, n) for sent, n in zip(part, changed, strict=False) if not _is_ours(sent)]
            for sent, n in rows[len(one.recording.statements) :]:
                if n != 1 and not _inserts(sent):
                    raise _not_moved(one)


def _is_ours(sent: Sent) -> bool:
    return sent is ONE_ROW or sent is COMMIT


def _inserts(sent: Sent) -> bool:
    return sent.statement.startswith("INSERT")


def _not_moved(staged: _Staged) -> CommandError:
    revision = staged.recording.revision
    return CommandError(
        f"after revision {revision}, other than one row of the version table was changed"
    )


def _moves(construct: Any, context: MigrationContext) -> bool:
    return isinstance(construct, UpdateBase) and construct.table is context._version
