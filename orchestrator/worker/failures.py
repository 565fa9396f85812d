"""Exceptions of a job, as a ``Failure`` with cause and next step."""

import sysconfig
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, NoSuchTableError, PendingRollbackError

from orchestrator.config.alembic_file import AlembicFileError
from orchestrator.dialects import EXHAUSTED, Dialect, Fault, dialect_of
from orchestrator.dialects.faults import NEXT_STEP, NO_SCHEMA_STEP, message_of
from orchestrator.errors import OrchestratorError, SecretError
from orchestrator.rollout.outcomes import LOOKED_AFTER, UNKNOWN_REVISION_STEP, Failure
from orchestrator.worker.connection.pooler import TransactionPooling
from orchestrator.worker.connection.session import LeftTarget, LostLock, NoSchema
from orchestrator.worker.environment.refusals import NotRun
from orchestrator.worker.scripts.directory import UnknownRevision
from orchestrator.worker.scripts.loading import (
    IMPORT_STEP,
    BrokenScripts,
    import_message,
    syntax_message,
)
from orchestrator.worker.statements.journal import NotRecorded
from orchestrator.worker.statements.recorder import StatementRecorder

_INSTALLED = (
    *{Path(path) for path in sysconfig.get_paths().values()},
    Path(__file__).parents[1],
)
ENV_PY_STEP = (
    "let it find what it needs: set the variables that it reads, or prepare its application by "
    "configure = … in [databases.…] (docs/adopt.md#what-envpy-needs)"
)
_SAFE = frozenset({Fault.LOCK_WAIT, Fault.DEADLOCK, Fault.UNREACHABLE}) | EXHAUSTED


def fault_of(error: BaseException, backend: str) -> Fault | None:
    """Return the kind of a database error, ``None`` for any other error."""
    dialect = dialect_of(backend)
    if isinstance(error, DBAPIError) and error.orig is not None:
        return dialect.fault(error.orig)
    # PyMySQL tells what it lacks by a plain RuntimeError.
    if isinstance(error, RuntimeError) and dialect.fault(error) is Fault.NO_CRYPTOGRAPHY:
        return Fault.NO_CRYPTOGRAPHY
    return None


def failure_of(
    error: BaseException,
    backend: str,
    folders: Sequence[Path] = (),
    recorder: StatementRecorder | None = None,
) -> Failure:
    """Describe ``error``. ``folders`` hold the user's scripts, to say where in them it happened."""
    while isinstance(error, PendingRollbackError) and error.__context__ is not None:
        error = error.__context__  # what Alembic's autocommit_block() hides when it cleans up
    fault = fault_of(error, backend)
    revision = recorder.revision if recorder else None
    in_env_py = revision is None and _in_env_py(error, folders)
    stays = _what_stays(recorder, dialect_of(backend), fault)
    statement = error.statement if isinstance(error, DBAPIError) else None
    return Failure(
        message=_message(error, folders, in_env_py=in_env_py),
        next_step=_next_step(
            error, fault, stays, revision, dialect_of(backend), in_env_py=in_env_py
        ),
        revision=revision,
        statement=statement,
        executed=stays,
        half_applied=bool(stays),
        retryable=_is_retryable(fault, recorder, dialect_of(backend)),
        exhausted=fault in EXHAUSTED,
        traceback="".join(traceback.format_exception(error)),
    )


def told_by(worker: str, error: BaseException, failure: Failure) -> Failure:
    """Return a failure with the worker on another machine that it is about, if it is about one."""
    if not worker or not isinstance(error, SecretError):
        return failure
    return replace(failure, message=f"worker {worker}: {failure.message}")


def at_the_beginning(
    failure: Failure,
    error: BaseException,
    backend: str,
    target: str,
    first: str | None,
    recorder: StatementRecorder,
) -> Failure:
    """Say what helps where the first statement of a history, of its revision ``first``, fails."""
    if first is None or failure.revision != first or recorder.executed:
        return failure
    fault = Fault.NO_TABLE if isinstance(error, NoSuchTableError) else fault_of(error, backend)
    if fault is Fault.NO_TABLE:
        step = (
            "if the application makes its tables itself (create_all), let it, then say so: "
            f"orchestrator stamp {target} --revision heads "
            "(docs/adopt.md#tables-that-the-application-makes-first); "
        )
    elif fault is Fault.EXISTS:
        step = (
            f"if it is no new database, orchestrator identify {target} tells which revision it is "
            "at; then stamp it; "
        )
    else:
        return failure
    return replace(failure, next_step=f"{step}else: {failure.next_step or f'fix {first}'}")


def with_left_behind(failure: Failure, left: Sequence[Sequence[str]]) -> Failure:
    """Add what the failed statement left behind: pairs of a name and what removes it."""
    if not left:
        return failure
    removes = "; ".join(removes for _, removes in left)
    return replace(
        failure,
        executed=(*failure.executed, *(f"{name} -- it failed and stays" for name, _ in left)),
        half_applied=True,
        retryable=False,
        next_step=f"{removes}; then {failure.next_step or f'fix the revision; {LOOKED_AFTER}'}",
    )


def _what_stays(
    recorder: StatementRecorder | None, dialect: Dialect, fault: Fault | None
) -> tuple[str, ...]:
    """The statements of the failed revision that were not rolled back."""
    lost = fault is Fault.LOST and recorder is not None and recorder.autocommit
    if recorder is None or (dialect.transactional_ddl and not recorder.committed and not lost):
        return ()
    if fault is Fault.LOST and recorder.statement is not None:
        return (*recorder.staying, f"{recorder.statement} -- maybe: the connection was lost")
    return recorder.staying


def _is_retryable(
    fault: Fault | None, recorder: StatementRecorder | None, dialect: Dialect
) -> bool:
    if recorder is None or recorder.revision is None:
        return fault in _SAFE or fault is Fault.LOST
    if dialect.transactional_ddl:
        lost = fault is Fault.LOST and not recorder.autocommit
        return not recorder.committed and (fault in _SAFE or lost)
    # Without transactional DDL only a statement that surely did nothing may be tried again.
    return not recorder.staying and fault in _SAFE


def _message(error: BaseException, folders: Sequence[Path], *, in_env_py: bool) -> str:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return message_of(error.orig)
    if isinstance(error, NoSuchModuleError):
        return f"{error}; no such driver is installed"
    if isinstance(error, SyntaxError):
        return syntax_message(error)
    if isinstance(error, ImportError):
        return import_message(error, folders)
    if isinstance(
        error,
        CommandError
        | OrchestratorError
        | NotRun
        | NotRecorded
        | AlembicFileError
        | BrokenScripts
        | RevisionError
        | UnknownRevision
        | LeftTarget
        | LostLock
        | NoSchema
        | TransactionPooling,
    ):
        return str(error)
    if isinstance(error, SystemExit):
        who = "env.py" if in_env_py else "the migration"
        why = f": {error.code}" if isinstance(error.code, str) else f": SystemExit({error.code})"
        return f"{who} ended the process{why}" + _where(error, folders)
    return f"{type(error).__name__}: {error}" + _where(error, folders)


def _where(error: BaseException, folders: Sequence[Path]) -> str:
    """The last place in the user's own scripts, which is where they look first."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if any(Path(f.filename).is_relative_to(path) for path in folders)]
    ours = ours or [f for f in frames if not _is_installed(f.filename)]
    return f" ({ours[-1].filename}:{ours[-1].lineno})" if ours else ""


def _is_installed(file: str) -> bool:
    """Whether a file is the interpreter's, a package's or our own, and none of the project."""
    path = Path(file)
    return not path.is_file() or any(path.is_relative_to(folder) for folder in _INSTALLED)


def _in_env_py(error: BaseException, folders: Sequence[Path]) -> bool:
    """Whether ``error`` was raised in the run of ``env.py``, or in what it calls."""
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
    return any(str(folder / "env.py") in files for folder in folders)


def _next_step(
    error: BaseException,
    fault: Fault | None,
    stays: tuple[str, ...],
    revision: str | None,
    dialect: Dialect,
    *,
    in_env_py: bool,
) -> str | None:
    if stays:
        why = (
            "it was committed on the way"
            if dialect.transactional_ddl
            else "the server can't roll back DDL"
        )
        return (
            f"{why}: revision {revision} is half applied, and no run touches it. Finish it by "
            f"hand and stamp it; or undo the executed statements by hand, then: {LOOKED_AFTER}"
        )
    if fault is Fault.EXISTS and revision is not None and not dialect.transactional_ddl:
        return (
            f"an earlier attempt may have left revision {revision} half applied: compare the "
            "database with it, undo or finish it by hand (and stamp it); else fix the revision"
        )
    if fault is not None and fault in NEXT_STEP:
        return NEXT_STEP[fault]
    known = _step_for(error)
    if known is None and in_env_py and not isinstance(error, CommandError | DBAPIError):
        return ENV_PY_STEP
    if known is not None or revision is None:
        return known
    kept = "it was rolled back; " if dialect.transactional_ddl else "nothing of it stays; "
    return f"{kept}fix revision {revision}, then run it again"


def _step_for(error: BaseException) -> str | None:
    """What helps against errors of our own and of Alembic."""
    if isinstance(error, UnknownRevision):
        return UNKNOWN_REVISION_STEP
    if isinstance(error, NotRun | BrokenScripts):
        return error.next_step
    if isinstance(error, NotRecorded):
        return "resume the run"
    if isinstance(error, NoSchema):
        return NO_SCHEMA_STEP
    if isinstance(error, LeftTarget):
        return "let the revision set it back at its end, or name the schema in its statements"
    if isinstance(error, TransactionPooling):
        return "connect to PostgreSQL directly, or through a pool in session mode"
    if isinstance(error, ImportError):
        return IMPORT_STEP
    if isinstance(error, CommandError) and "Multiple head revisions" in str(error):
        return "use --revision heads, or merge the branches: orchestrator merge DATABASE -m …"
    if isinstance(error, CommandError) and "MetaData" in str(error):
        return 'say where the models are: metadata = "package.models:Base" in [databases.…]'
    return None
