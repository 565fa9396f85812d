"""Commands about a database's scripts: one worker, and no target."""

from dataclasses import dataclass
from typing import Any

from orchestrator.actions.prepare import check_scripts
from orchestrator.config.load import ConfigFile
from orchestrator.config.problems import did_you_mean
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import TargetsFailed, UsageError
from orchestrator.rollout.outcomes import Outcome, Revision, State
from orchestrator.worker.jobs import NewScript, Verb


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision file that ``revision`` or ``merge`` wrote."""

    database: str
    path: str | None
    """`None` when the models and the revisions agree, and nothing was written."""
    id: str
    """The new revision's id, or the heads where nothing was written."""
    empty: bool
    """It was asked for without operations."""
    revisions: tuple[Revision, ...] = ()
    """What was written: one, unless ``process_revision_directives`` made more of it."""
    warnings: tuple[str, ...] = ()
    """What went wrong once it was written: hooks that failed."""


def assert_database(file: ConfigFile, database: str) -> None:
    """Raise ``UsageError`` for a database that the file does not have, or that has no scripts."""
    known = file.config.databases
    if database not in known:
        hint = did_you_mean(database, known)
        raise UsageError(
            f"there is no database '{database}'; there are {', '.join(known)}"
            + (f"\n  {hint}" if hint else "")
        )
    check_scripts(file, [database])


def write_script(workers: Workers, verb: Verb, database: str, script: NewScript) -> NewRevision:
    """Let a worker write a revision file. Raises ``TargetsFailed`` where it can't."""
    outcome = asked(workers, verb, database, script=script)
    revisions, warnings = outcome.data
    path = revisions[0].path if revisions else None
    id_ = revisions[0].id if revisions else ", ".join(outcome.heads)
    return NewRevision(database, path, id_, script.empty, revisions, warnings)


def asked(workers: Workers, verb: Verb, database: str, **fields: Any) -> Outcome:
    """Run a job on a database's scripts. Raises ``TargetsFailed`` where it fails."""
    with workers:
        workers.begin(verb, [database], **fields)
        outcome = workers.collected(wait=True)[database]
    failure = outcome.failure
    if failure is not None or outcome.state is State.FAILED:
        message = failure.message if failure is not None else "it failed"
        step = f"\n  {failure.next_step}" if failure is not None and failure.next_step else ""
        raise TargetsFailed(f"{outcome.target}: {message}{step}")
    return outcome
