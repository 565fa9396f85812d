"""Runs the user's ``env.py`` on our connection, whatever that file asks for."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from orchestrator.worker.recorder import Recorder
from orchestrator.worker.scripts import Scripts, alembic_config
from orchestrator.worker.session import Session, url_of

Steps = Callable[[tuple[str, ...], MigrationContext], list[Any]]


class NotRun(Exception):  # noqa: N818 - explained to the user as it is
    """``env.py`` did not do what every Alembic environment does."""


class TargetEnvironment(EnvironmentContext):
    """An ``EnvironmentContext`` that is bound to one target.

    ``context.configure`` gets the session's connection in place of whatever ``env.py`` passes;
    all its other options are kept.
    """

    def __init__(self, scripts: Scripts, session: Session, folder: Path, **options: Any) -> None:
        url = url_of(session.location).render_as_string(hide_password=False)
        config = alembic_config(scripts.database, folder, url)
        config.attributes["connection"] = session.connection
        super().__init__(config, scripts.directory, **options)
        self._scripts = scripts
        self._session = session
        self.configured = False

    def configure(self, connection: Any = None, **options: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        """Configure the migration context for our connection, or for SQL of our dialect."""
        for name in ("url", "dialect_name"):
            options.pop(name, None)
        self._check_version_table(options)
        if options.get("target_metadata") is None:
            options["target_metadata"] = self._scripts.metadata()
        if self._session.location.backend == "sqlite" and options.get("transactional_ddl") is None:
            options["transactional_ddl"] = True  # the session begins real transactions
        self.configured = True
        if self.is_offline_mode():
            options["literal_binds"] = True
            options["dialect_opts"] = {"paramstyle": "named"}
            super().configure(dialect_name=self._session.location.backend, **options)
        else:
            # Alembic leaves a transaction that it finds open to the caller.
            self._session.connection.rollback()
            super().configure(connection=self._session.connection, **options)

    def _check_version_table(self, options: dict[str, Any]) -> None:
        ours = self._scripts.database.version_table
        theirs = options.setdefault("version_table", ours)
        if theirs != ours:
            raise NotRun(
                f"env.py keeps its versions in table '{theirs}', environments.toml says '{ours}'; "
                f'write version_table = "{theirs}" in [databases.{self._scripts.name}]'
            )


def run_environment(
    scripts: Scripts, session: Session, folder: Path, fn: Steps, **options: Any
) -> None:
    """Run ``env.py`` once, with ``fn`` giving the steps. Leaves no transaction open."""
    ran = False

    def once(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
        nonlocal ran
        ran = True
        return fn(heads, context)

    environment = TargetEnvironment(scripts, session, folder, fn=once, **options)
    try:
        with environment:
            scripts.directory.run_env()
    finally:
        if not session.connection.invalidated:
            session.connection.rollback()
    if not ran:
        raise NotRun(
            f"{scripts.folder / 'env.py'} ran no migrations: it must call context.configure() and "
            "context.run_migrations()"
        )


def watched(steps: list[Any], session: Session, recorder: Recorder) -> Iterator[Any]:
    """Give out steps that tell the recorder when they start, and check the lock before they do."""
    for step in steps:
        step.migration_fn = _watched(step, session, recorder)
        yield step


def _watched(step: Any, session: Session, recorder: Recorder) -> Callable[..., None]:
    run = step.migration_fn

    def migration_fn(**arguments: Any) -> None:
        session.assert_locked()
        recorder.begin(step.revision.revision)
        run(**arguments)

    return migration_fn


def render_sql(
    scripts: Scripts, session: Session, folder: Path, revision: str, heads: tuple[str, ...]
) -> str:
    """Return the SQL of an upgrade from ``heads``, as ``alembic upgrade --sql`` prints it."""
    buffer = io.StringIO()
    run_environment(
        scripts,
        session,
        folder,
        lambda now, _: scripts.steps("upgrade", revision, now),
        as_sql=True,
        output_buffer=buffer,
        starting_rev=heads or "base",
        destination_rev=revision,
    )
    return buffer.getvalue()
