"""Runs the user's ``env.py`` on our connection, whatever that file asks for."""

import io
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from orchestrator.worker.command_line import argv
from orchestrator.worker.configured import Configured, assert_own, configured, settled_options
from orchestrator.worker.connections import Connections, only_the_target
from orchestrator.worker.logs import forgiving_file_config
from orchestrator.worker.recorder import Recorder
from orchestrator.worker.refusals import NotRun
from orchestrator.worker.scripts import Scripts
from orchestrator.worker.session import Session, VersionTable
from orchestrator.worker.urls import url_of

Steps = Callable[[tuple[str, ...], "Run"], list[Any]]


@dataclass(frozen=True, slots=True)
class Habits:
    """What an ``env.py`` does, as far as it must be known before it runs."""

    several: bool = False
    """It configures several databases or schemas, one after the other."""
    plain: bool = True
    """Its version table is ``alembic_version`` where unqualified names lead."""


class Run:
    """One run of ``env.py`` for one target."""

    def __init__(
        self, scripts: Scripts, session: Session, connections: Connections, habits: Habits | None
    ) -> None:
        self.scripts, self.session, self.connections = scripts, session, connections
        self.habits = habits
        """``None``: they are to be learnt, and nothing is to be migrated."""
        self.calls: list[Configured] = []
        """Each call of ``context.configure()``."""
        self.place = session.place
        """Where ``env.py`` wants its migrations, if not elsewhere than in the target."""
        self.migrated: list[Configured] = []
        """The calls whose migrations were run."""
        self.error: BaseException | None = None
        """What a revision raised, also where ``env.py`` has caught it."""
        self.environment: EnvironmentContext

    @property
    def table(self) -> VersionTable:
        """The version table of the target."""
        return self.migrated[-1].table

    @property
    def seen(self) -> Habits:
        """What this run says of its ``env.py``."""
        own = {None, self.session.location.schema}
        plain = all(
            call.table.name == VersionTable().name and call.table.schema in own
            for call in self.calls
        )
        several = len({(call.database, call.place, call.table) for call in self.calls}) > 1
        return Habits(several, plain and self.place == self.session.place)

    def takes(self, call: Configured) -> bool:
        """Whether a call's migrations are run: those of the target, and once.

        Of several calls the one that leads to the target is about it; a single one is, wherever
        it leads. Raises ``NotRun`` where that comes out too late.
        """
        if self.habits is None:
            return False
        if not self.migrated:
            return call.is_target or not self.habits.several
        if call.is_target and not all(earlier.is_target for earlier in self.migrated):
            raise NotRun(
                f"{self.env_py} migrates several databases, and only sometimes: its round for "
                f"{self.migrated[0]} was taken for the target's",
                "let it go through the same databases for each target",
            )
        return call.is_target and call.table not in {earlier.table for earlier in self.migrated}

    @property
    def env_py(self) -> Path:
        """The file."""
        return self.scripts.folder / "env.py"

    def assert_ran(self) -> None:
        """Raise ``NotRun`` unless ``env.py`` ran migrations for the target."""
        if self.migrated:
            return
        if self.habits is not None and self.habits.several and self.calls:
            others = ", ".join(dict.fromkeys(str(call) for call in self.calls))
            raise NotRun(
                f"{self.env_py} migrates several databases, and none of them is the target: "
                f"{others}",
                "let it take sqlalchemy.url of Alembic's Config; or make what it goes through "
                "targets of their own: a schema with schema = …, one of alembic.ini's databases "
                "with ini_section = …",
            )
        raise NotRun(
            f"{self.env_py} ran no migrations: it must call context.configure() and "
            "context.run_migrations()"
        )


def run_environment(
    scripts: Scripts,
    session: Session,
    fn: Steps,
    arguments: Namespace,
    *,
    habits: Habits | None,
    commits: bool = False,
    **options: Any,
) -> Run:
    """Run ``env.py`` once, with ``fn`` giving the steps. Leaves no transaction open.

    ``context.configure`` takes the session's connection in place of whatever ``env.py`` passes,
    and keeps all other options. Without ``habits``, these are learnt: no migration is run.
    ``commits``: like whoever gave ``env.py`` a connection, commit
    what it left open. Raises ``NotRun``, or whatever the migration raises, even if ``env.py``
    catches it: a revision that failed is no success, and nothing of it is to be committed.
    """
    with only_the_target(session, compares=habits is None) as connections, forgiving_file_config():
        run = Run(scripts, session, connections, habits)

        def once(heads: tuple[str, ...], _: MigrationContext) -> list[Any]:
            call = run.calls[-1]  # run_migrations() is about the last configure()
            if not run.takes(call):
                return []
            run.migrated.append(call)
            return fn(heads, run)

        run.environment = _environment(run, arguments, fn=once, **options)
        try:
            with run.environment:
                _execute(scripts)
            if run.error is not None:
                raise run.error
            if commits:
                session.connection.commit()
        finally:
            session.end_transaction()
    if habits is not None:
        run.assert_ran()
    return run


def _execute(scripts: Scripts) -> None:
    try:
        scripts.directory.run_env()
    except SystemExit as error:
        if error.code not in (None, 0):  # else it says that it is done
            raise


def _environment(run: Run, arguments: Namespace, **options: Any) -> EnvironmentContext:
    """Bind an ``EnvironmentContext`` to one target.

    Not a subclass: Alembic's proxies know only its own class, and look ``configure`` up on it.
    """
    session, scripts = run.session, run.scripts
    sys.argv = argv(arguments)
    url = url_of(session.location).render_as_string(hide_password=False)
    config = scripts.settings.config(url, arguments)
    config.attributes["connection"] = session.connection
    scripts.settings.customise(config)
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


def learn(scripts: Scripts, session: Session, arguments: Namespace, **options: Any) -> Habits:
    """Run ``env.py``, but no migration, and tell what it does.

    Its own statements are executed, as by ``alembic current``.
    """
    run = run_environment(
        scripts, session, lambda *_: [], arguments, habits=None, dont_mutate=True, **options
    )
    return run.seen


def current(
    scripts: Scripts, session: Session, arguments: Namespace, habits: Habits, **options: Any
) -> tuple[tuple[str, ...], VersionTable]:
    """Read the heads as ``alembic current`` does: where ``env.py`` keeps them."""
    found: list[str] = []

    def read(heads: tuple[str, ...], _: Run) -> list[Any]:
        found[:] = heads
        return []

    run = run_environment(
        scripts, session, read, arguments, habits=habits, dont_mutate=True, **options
    )
    return tuple(sorted(found)), run.table


def watched(steps: list[Any], run: Run, recorder: Recorder) -> Iterator[Any]:
    """Give out steps that tell the recorder when they start and end, and watch the session.

    A lock is lost only with its connection, and the session's own never reconnects: on a
    direct one the first check is enough. A pooler could swap the server's session at any time.
    Where unqualified names lead is asked after each revision.
    """
    for number, step in enumerate(steps):
        check = run.session.pooled or not number
        step.migration_fn = _watched(step, run, recorder, check=check)
        yield step


def _watched(step: Any, run: Run, recorder: Recorder, *, check: bool) -> Callable[..., None]:
    def migration_fn(**arguments: Any) -> None:
        try:
            if check:
                run.session.assert_locked()
                run.session.assert_in_place(run.place)
            recorder.begin(step.revision.revision)
            with run.connections.revising():
                run.scripts.fresh(step)(**arguments)
            recorder.end()
            run.session.assert_in_place(run.place)
        except BaseException as error:
            run.error = error
            raise

    return migration_fn


def render_sql(
    scripts: Scripts,
    session: Session,
    arguments: Namespace,
    heads: tuple[str, ...],
    habits: Habits,
) -> str:
    """Return the SQL of an upgrade from ``heads``, as ``alembic upgrade --sql`` prints it."""
    buffer = io.StringIO()
    revision = arguments.revision
    run_environment(
        scripts,
        session,
        lambda now, _: scripts.steps("upgrade", revision, now),
        arguments,
        habits=habits,
        as_sql=True,
        output_buffer=buffer,
        starting_rev=heads or "base",
        destination_rev=revision,
    )
    return buffer.getvalue()
