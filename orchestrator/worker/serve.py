"""A worker process: takes one job after another from a pipe, and answers each with an outcome."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path

from orchestrator.config.redaction import Redactor, masked_urls
from orchestrator.dialects.faults import NO_ACCESS
from orchestrator.errors import ConfigError, Refused, SecretError
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, State
from orchestrator.worker import examine, looking
from orchestrator.worker.autogenerate import check as read
from orchestrator.worker.autogenerate import revision as author
from orchestrator.worker.connection.session import NoSchema
from orchestrator.worker.context import Context
from orchestrator.worker.failures import failure_of, fault_of, told_by
from orchestrator.worker.jobs import Committing, Go, Here, Job, Leave, Made, Running, Verb, Waiting
from orchestrator.worker.migration import migrate
from orchestrator.worker.process.capture import Capture
from orchestrator.worker.process.isolation import unchanged_process
from orchestrator.worker.scratch import walk
from orchestrator.worker.scripts.directory import UnknownRevision
from orchestrator.worker.statements.meaning import shown

Execution = Callable[[Job, str, Context], Outcome]

_SAYS_AGAIN = 30.0
_READS = frozenset({Verb.STATUS, Verb.CHECK})
_RUN: Mapping[Verb, Execution] = {
    Verb.UPGRADE: migrate.migrate,
    Verb.DOWNGRADE: migrate.migrate,
    Verb.STAMP: migrate.migrate,
    Verb.STATUS: read.status,
    Verb.CHECK: read.check,
    Verb.SQL: read.sql,
    Verb.REVISION: author.revision,
    Verb.MERGE: author.merge,
    Verb.WALK: walk.walk,
    Verb.EXAMINE: examine.examine,
    Verb.HISTORY: author.history,
    Verb.REVISIONS: author.revisions,
    Verb.READ: looking.read,
    Verb.THINGS: looking.things,
    Verb.QUERY: looking.query,
    Verb.PROBE: looking.probe,
}

_SECRET_IN_SQL = Failure(
    "its SQL would contain the value of a secret, or a URL with a password",
    "no file was written; take the value out of the migration, or upgrade without --sql",
)


def serve(
    pipe: Connection,
    commands: Mapping[str, str],
    environ: Mapping[str, str],
    folder: str,
    here: Here | None = None,
) -> None:
    """Work until the other end closes the pipe. A parent that died ends its workers so.

    ``commands``: what ``${cmd:}`` secrets printed. ``environ`` and ``folder`` are the parent's:
    those of the fork server are from when it started. Ctrl-C, SIGTERM and SIGHUP, which may reach
    the whole process group, are the parent's to handle. ``here``: jobs are another machine's, and
    this one has a file of its own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not SIG_IGN: programs that a migration starts would inherit that, and could not be ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    capture = Capture()
    sending = threading.Lock()  # a journal has a thread of its own
    context = Context(
        commands,
        begins=capture.begin,
        notify=lambda revision: not _told(pipe, sending, Running(revision)),
        made=lambda what, detail: _told(pipe, sending, Made(what, detail)),
        record=lambda committing: _ask(pipe, sending, committing, context.redactor()),
    )
    patient = context.waits = Patient(pipe, sending)
    try:
        while True:
            job: Job | Leave = pipe.recv()
            if isinstance(job, Leave):  # it came too late: the lock was had meanwhile
                continue
            if here is not None:
                job = replace(job, config=here.config, worker=here.name)
            capture.begin()
            patient.begin()
            with unchanged_process():
                outcome = run(job, context)
            redact = context.redactor()
            pipe.send(_finished(job, outcome, capture.text(redact), redact))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # nobody is left to tell; a user's atexit handlers have nothing to add


def run(job: Job, context: Context) -> Outcome:
    """Run one job. Whatever is raised becomes a failed outcome."""
    target = target_name(job)
    backend = "sqlite"
    try:
        job = replace(job, revision=context.destination(job))
        if job.environment and job.heads is None and not job.subjects:
            backend = context.location(job).backend
        work = migrate.plan if job.dry_run else _RUN[job.verb]
        return work(job, target, context)
    except BaseException as error:  # noqa: BLE001 - the boundary to arbitrary user code
        return _failed(job, target, error, backend, context)


class Patient:
    """Says who holds a lock that is waited for, at once and then every half minute."""

    def __init__(self, pipe: Connection, sending: threading.Lock) -> None:
        self._pipe, self._sending = pipe, sending
        self._said: tuple[str, float] = "", 0.0

    def begin(self) -> None:
        """Forget what was said for the job before."""
        self._said = "", 0.0

    def __call__(self, holder: str) -> bool:
        """Return whether to go on waiting."""
        now = time.monotonic()
        if holder != self._said[0] or now - self._said[1] >= _SAYS_AGAIN:
            if not _told(self._pipe, self._sending, Waiting(holder)):
                return False
            self._said = holder, now
        return not (self._pipe.poll() and isinstance(self._pipe.recv(), Leave))


def _told(
    pipe: Connection, sending: threading.Lock, message: Running | Committing | Made | Waiting
) -> bool:
    """Send a message, and return whether there is somebody to hear it."""
    try:
        with sending:
            pipe.send(message)
    except OSError:
        return False
    return True


def _ask(
    pipe: Connection, sending: threading.Lock, committing: Committing, redact: Redactor
) -> bool:
    """Return whether the other end has recorded it. Where there is none, end this process."""
    # Redacted before it is cut: of a secret across the cut, the rest would be left.
    message = replace(committing, statement=shown(redact(committing.statement)))
    heard = _told(pipe, sending, message)
    if not committing.waits:
        return heard
    try:
        answer: Go | Leave | None = pipe.recv() if heard else None
        while isinstance(answer, Leave):
            answer = pipe.recv()
    except (EOFError, OSError):
        answer = None
    if answer is None:
        os._exit(0)  # as if killed: the server rolls back, and nobody else may catch it
    return answer.ok


def target_name(job: Job) -> str:
    """``environment/database/tenant``, or the database alone where the job has no target."""
    parts = (job.environment, job.database, job.labels.get("name"))
    return "/".join(part for part in parts if part)


def _failed(job: Job, target: str, error: BaseException, backend: str, context: Context) -> Outcome:
    folders: tuple[Path, ...] = ()
    if not isinstance(error, SecretError | ConfigError | Refused):
        with contextlib.suppress(Exception):  # that they don't load is the error itself
            folders = (context.file(job).folder,)
            folders = context.scripts(job).folders
    failure = told_by(job.worker, error, failure_of(error, backend, folders))
    if job.verb in _READS and isinstance(error, UnknownRevision):
        return Outcome(target, State.UNKNOWN_REVISION, failure=failure)
    cant_reach = fault_of(error, backend) in NO_ACCESS or isinstance(error, NoSchema | SecretError)
    state = State.UNREACHABLE if job.verb in _READS and cant_reach else State.FAILED
    return Outcome(target, state, failure=failure)


def _finished(job: Job, outcome: Outcome, output: str, redact: Redactor) -> Outcome:
    """Hide every secret in whatever leaves this process. ``output`` has none any more."""
    data = outcome.data
    if job.verb is Verb.SQL and isinstance(data, str) and redact(data) != data:
        # Masked it would be other SQL than what the upgrade runs.
        outcome = Outcome(outcome.target, State.FAILED, outcome.heads, failure=_SECRET_IN_SQL)
    failure = outcome.failure
    revisions = (revision.id for revision in outcome.revisions)
    redact = redact.sparing((outcome.target, *outcome.heads_before, *outcome.heads, *revisions))
    return replace(
        outcome,
        output=output,
        failure=None if failure is None else _redacted(failure, redact),
        differences=tuple(_plain(difference, redact) for difference in outcome.differences),
    )


def _plain(difference: Difference, redact: Redactor) -> Difference:
    texts = {name: value for name, value in asdict(difference).items() if isinstance(value, str)}
    return replace(difference, **{name: redact(value) for name, value in texts.items()})


def _redacted(failure: Failure, redact: Redactor) -> Failure:
    return replace(
        failure,
        message=redact(failure.message),
        next_step=None if failure.next_step is None else masked_urls(failure.next_step),
        statement=None if failure.statement is None else redact(failure.statement),
        executed=tuple(map(redact, failure.executed)),
        traceback=None if failure.traceback is None else redact(failure.traceback),
    )
