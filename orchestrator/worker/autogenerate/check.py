"""status, check and sql: what is read from one target, changing nothing."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from alembic.autogenerate.api import RevisionContext

from orchestrator.fleet.version_table import VersionTable
from orchestrator.rollout.outcomes import (
    UNKNOWN_REVISION_STEP,
    Failure,
    Outcome,
    State,
    inconsistent,
    past,
)
from orchestrator.worker.autogenerate.differences import differences
from orchestrator.worker.autogenerate.soundness import unsound
from orchestrator.worker.connection.session import Session, open_session
from orchestrator.worker.context import Context
from orchestrator.worker.environment.env_py import render_sql, run_environment
from orchestrator.worker.environment.execution import Execution, Steps
from orchestrator.worker.failures import failure_of
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.migration.heads import Heads, asked, profile_of, read_heads
from orchestrator.worker.scripts.directory import Scripts, UnknownRevision, revisions_of
from orchestrator.worker.statements.recorder import StatementRecorder


def status(job: Job, target: str, context: Context) -> Outcome:
    """Read the heads, and tell which revisions are pending. ``data`` is the version table."""
    scripts = context.scripts(job)
    if job.learn:
        profile_of(job, context)
    with _opened(job, context) as session:
        heads, table = read_heads(job, scripts, session, context)
        own = {session.location.schema, _mysql_database(session)}
        table = VersionTable(table.name, None if table.schema in own else table.schema)
        return replace(_standing(target, scripts, heads, job.revision), data=table)


def _opened(job: Job, context: Context) -> AbstractContextManager[Session]:
    return open_session(
        context.location(job), context.timeouts(job), arguments=context.arguments(job)
    )


def _mysql_database(session: Session) -> str | None:
    """What MySQL calls a schema, too."""
    location = session.location
    return location.database if location.backend in {"mysql", "mariadb"} else None


def check(job: Job, target: str, context: Context) -> Outcome:
    """Compare the models with the database, through the user's own ``env.py``.

    A target that is not at head is ``BEHIND``: comparing it would only list what its pending
    revisions do. ``data`` says why the result is this target's alone, if it is.
    """
    scripts = context.scripts(job)
    with _opened(job, context) as session:
        heads = read_heads(job, scripts, session, context)[0]
        standing = _standing(target, scripts, heads, job.revision)
        if standing.state is State.EMPTY and standing.revisions:
            return Outcome(target, State.BEHIND, revisions=standing.revisions)
        if standing.state not in {State.CURRENT, State.EMPTY}:
            return standing
        known = job.database in context.profiles
        compared = _compare(job, scripts, session, context) if known else None
    if compared is None:
        profile_of(job, context)  # first, since they say how to connect
        with _opened(job, context) as session:
            compared = _compare(job, scripts, session, context)
    diffs, beyond = compared
    found = differences(diffs)
    state = State.DIFFERS if found else State.IN_SYNC
    return Outcome(target, state, standing.heads, standing.heads, differences=found, data=beyond)


def sql(job: Job, target: str, context: Context) -> Outcome:
    """Return the SQL that an upgrade from the target's heads would run, as ``data``."""
    scripts = context.scripts(job)
    profile_of(job, context)
    with _opened(job, context) as session:
        heads = read_heads(job, scripts, session, context)[0]
        scripts.assert_known(heads)
        steps = scripts.steps(Verb.UPGRADE, job.revision, heads)
        if not steps:
            return Outcome(target, State.UNCHANGED, heads, heads)
        arguments, _ = asked(job, context)
        profile = profile_of(job, context)
        recorder = StatementRecorder(session.engine, context.notify)
        context.begins()
        try:
            text = render_sql(scripts, session, arguments, heads, profile, recorder)
        except BaseException as error:  # noqa: BLE001 - a migration may raise anything
            failure = failure_of(error, session.location.backend, scripts.folders, recorder)
            if failure.revision is not None:
                failure = replace(failure, next_step=_offline_step(failure.revision))
            return Outcome(target, State.FAILED, heads, heads, failure=failure)
        text = _preamble(session) + text
    return Outcome(target, State.PLANNED, heads, heads, revisions_of(steps), data=text)


def _offline_step(revision: str) -> str:
    return (
        f"nothing was run, no file was written: let revision {revision} do without what it asks "
        "the database (context.is_offline_mode()), or upgrade without --sql"
    )


def _preamble(session: Session) -> str:
    schema = session.location.schema
    statement = session.dialect.use_schema(schema) if schema else None
    return f"{statement};\n\n" if statement else ""


def comparing(collected: RevisionContext) -> Steps:
    """Return what makes a run of ``env.py`` compare, and run no revision."""

    def compare(heads: Heads, run: Execution) -> list[Any]:
        if run.scripts.database.revision is not None:
            # Alembic compares at all heads only; that it is where it is to be is known already.
            heads = run.scripts.heads
        collected.run_autogenerate(heads, run.environment.get_context())
        return []

    return compare


def autogenerate(scripts: Scripts, **arguments: Any) -> RevisionContext:
    """Return Alembic's collector of what autogenerate finds."""
    defaults: dict[str, Any] = {
        "message": None,
        "autogenerate": True,
        "sql": False,
        "head": "head",
        "splice": False,
        "branch_label": None,
        "version_path": None,
        "rev_id": None,
        "depends_on": None,
    }
    return RevisionContext(scripts.config, scripts.directory, {**defaults, **arguments})


def _compare(
    job: Job, scripts: Scripts, session: Session, context: Context
) -> tuple[list[Any], str | None]:
    collected = autogenerate(scripts)
    arguments, _ = asked(job, context)
    context.begins()
    run = run_environment(
        scripts,
        session,
        comparing(collected),
        arguments,
        profile=profile_of(job, context),
        dont_mutate=True,
        template_args=collected.template_args,
        revision_context=collected,
    )
    # None where env.py's process_revision_directives leaves none: it wants no revision then.
    found = [ops for script in collected.generated_revisions for ops in script.upgrade_ops_list]
    return [diff for ops in found for diff in ops.as_diffs()], _of_its_own(run, session)


def _of_its_own(run: Execution, session: Session) -> str | None:
    """Return why what ``env.py`` compared says nothing of other targets with an equal schema."""
    backend = session.location.backend
    options = run.environment.context_opts
    whole = backend == "sqlite" or (backend == "postgresql" and session.location.schema is None)
    if not whole and options.get("include_schemas"):
        return "env.py passes include_schemas"
    return unsound(options, run.environment.get_context().impl)


def _standing(target: str, scripts: Scripts, heads: Heads, destination: str) -> Outcome:
    try:
        scripts.assert_known(heads)
    except UnknownRevision as error:
        failure = Failure(str(error), UNKNOWN_REVISION_STEP)
        return Outcome(target, State.UNKNOWN_REVISION, heads, heads, failure=failure)
    tops = scripts.tops(heads)
    if len(tops) < len(heads):
        failure = inconsistent(target, heads, tops)
        return Outcome(target, State.INCONSISTENT, heads, heads, failure=failure)
    if scripts.is_past(destination, heads):
        failure = past(target, heads, destination)
        return Outcome(target, State.FAILED, heads, heads, failure=failure)
    pending = revisions_of(scripts.steps(Verb.UPGRADE, destination, heads))
    behind = State.BEHIND if pending else State.CURRENT
    state = behind if heads else State.EMPTY
    return Outcome(target, state, heads, heads, pending)
