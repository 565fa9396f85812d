"""Runs the user's ``env.py`` on our connection, whatever that file asks for."""

import io
import sys
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from alembic.config import Config as AlembicConfig
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.connection.session import Session
from orchestrator.worker.connection.urls import url_of
from orchestrator.worker.environment.command_line import argv
from orchestrator.worker.environment.configure import assert_own, configured, settled_options
from orchestrator.worker.environment.connections import only_the_target
from orchestrator.worker.environment.execution import EnvPyProfile, Execution, Steps
from orchestrator.worker.environment.watching import told
from orchestrator.worker.process.logs import forgiving_file_config
from orchestrator.worker.scripts.directory import Scripts
from orchestrator.worker.statements.recorder import StatementRecorder


def run_environment(
    scripts: Scripts,
    session: Session,
    fn: Steps,
    arguments: Namespace,
    *,
    profile: EnvPyProfile | None,
    commits: bool = False,
    **options: Any,
) -> Execution:
    """Run ``env.py`` once, with ``fn`` giving the steps. Leaves no transaction open.

    ``context.configure`` takes the session's connection in place of whatever ``env.py`` passes,
    and keeps all other options. Without ``profile``, these are learnt: no migration is run.
    ``commits``: like whoever gave ``env.py`` a connection, commit what it left open. Raises
    ``NotRun``, or whatever the migration raises, even if ``env.py`` catches it: a revision that
    failed is no success, and nothing of it is to be committed.
    """
    with only_the_target(session, compares=profile is None) as connections, forgiving_file_config():
        run = Execution(scripts, session, connections, profile)

        def once(heads: tuple[str, ...], _: MigrationContext) -> Iterable[Any]:
            call = run.calls[-1]  # run_migrations() is about the last configure()
            if not run.takes(call):
                return []
            run.migrated.append(call)
            return fn(heads, run)

        config = _config(run, arguments)
        try:
            with scripts.settings.customised(config):
                scripts.assert_same_history(config)
                run.environment = _environment(run, config, fn=once, **options)
                with run.environment:
                    _execute(scripts)
                if run.error is not None:
                    raise run.error
                if commits:
                    session.connection.commit()
        finally:
            session.end_transaction()
    if profile is not None:
        run.assert_ran()
    return run


def _execute(scripts: Scripts) -> None:
    try:
        scripts.directory.run_env()
    except SystemExit as error:
        if error.code not in (None, 0):  # else it says that it is done
            raise


def _config(run: Execution, arguments: Namespace) -> AlembicConfig:
    """Return the target's ``Config``, before ``configure`` has seen it."""
    url = url_of(run.session.location).render_as_string(hide_password=False)
    config = run.scripts.settings.config(url, arguments)
    config.attributes["connection"] = run.session.connection
    sys.argv = argv(arguments)
    return config


def _environment(run: Execution, config: AlembicConfig, **options: Any) -> EnvironmentContext:
    """Bind an ``EnvironmentContext`` to one target.

    Not a subclass: Alembic's proxies know only its own class, and look ``configure`` up on it.
    """
    session, scripts = run.session, run.scripts
    environment = EnvironmentContext(config, scripts.directory, **options)
    configure = environment.configure
    dont_mutate = bool(options.get("dont_mutate"))

    def ours(connection: Any = None, *_url: Any, **theirs: Any) -> None:
        offline = environment.is_offline_mode()
        call, run.place = configured(connection, theirs, scripts, session, run.connections)
        run.calls.append(call)
        taken = run.takes(call)
        if taken:
            assert_own(call.table, session)
        kept = settled_options(theirs, call, scripts, session)
        if offline:
            kept |= {"literal_binds": True, "dialect_opts": {"paramstyle": "named"}}
            configure(dialect_name=session.location.backend, **kept)
            return
        run.connections.settle()
        configure(connection=session.connection, **kept)
        # Alembic keeps options from one call to the next; these are of this one.
        environment.context_opts["dont_mutate"] = dont_mutate or not taken

    environment.configure = ours  # type: ignore[method-assign]
    return environment


def learn(scripts: Scripts, session: Session, arguments: Namespace, **options: Any) -> EnvPyProfile:
    """Run ``env.py``, but no migration, and tell what it does.

    Its own statements are executed, as by ``alembic current``.
    """
    run = run_environment(
        scripts, session, lambda *_: [], arguments, profile=None, dont_mutate=True, **options
    )
    return run.seen


def current(
    scripts: Scripts, session: Session, arguments: Namespace, profile: EnvPyProfile, **options: Any
) -> tuple[tuple[str, ...], VersionTable]:
    """Read the heads as ``alembic current`` does: where ``env.py`` keeps them."""
    found: list[str] = []

    def read(heads: tuple[str, ...], _: Execution) -> list[Any]:
        found[:] = heads
        return []

    run = run_environment(
        scripts, session, read, arguments, profile=profile, dont_mutate=True, **options
    )
    return tuple(sorted(found)), run.table


def render_sql(
    scripts: Scripts,
    session: Session,
    arguments: Namespace,
    heads: tuple[str, ...],
    profile: EnvPyProfile,
    recorder: StatementRecorder,
) -> str:
    """Return the SQL of an upgrade from ``heads``, as ``alembic upgrade --sql`` prints it.

    ``recorder`` is told each revision as it starts and ends.
    """
    buffer = io.StringIO()
    revision = arguments.revision
    run_environment(
        scripts,
        session,
        lambda now, _: told(scripts.steps("upgrade", revision, now), recorder),
        arguments,
        profile=profile,
        as_sql=True,
        output_buffer=buffer,
        starting_rev=heads or "base",
        destination_rev=revision,
    )
    return buffer.getvalue()
