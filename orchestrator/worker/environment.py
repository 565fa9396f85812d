"""Runs the user's ``env.py`` on our connection, whatever that file asks for."""

import io
from collections.abc import Callable, Iterator
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from orchestrator.worker.lazy import lazy_engines
from orchestrator.worker.recorder import Recorder
from orchestrator.worker.scripts import Scripts
from orchestrator.worker.session import Session, url_of

Steps = Callable[[tuple[str, ...], MigrationContext], list[Any]]


class NotRun(Exception):
    """``env.py`` did not do what every Alembic environment does."""


def target_environment(scripts: Scripts, session: Session, **options: Any) -> EnvironmentContext:
    """Return an ``EnvironmentContext`` that is bound to one target.

    Its ``configure`` takes the session's connection in place of whatever ``env.py`` passes, and
    keeps all other options. (Not a subclass: Alembic's proxies know only its own class.)
    """
    url = url_of(session.location).render_as_string(hide_password=False)
    config = scripts.settings.config(url)
    config.attributes["connection"] = session.connection
    environment = EnvironmentContext(config, scripts.directory, **options)
    configure = environment.configure

    def ours(*replaced: Any, **theirs: Any) -> None:  # noqa: ARG001 - its connection or URL
        kept = _options(theirs, scripts, session)
        backend = session.location.backend
        if environment.is_offline_mode():
            kept |= {"literal_binds": True, "dialect_opts": {"paramstyle": "named"}}
            configure(dialect_name=backend, **kept)
        else:
            # Alembic leaves a transaction that it finds open to the caller.
            session.connection.rollback()
            configure(connection=session.connection, **kept)

    # Alembic's module proxies look it up on the instance.
    environment.configure = ours  # type: ignore[method-assign]
    return environment


def _options(theirs: dict[str, Any], scripts: Scripts, session: Session) -> dict[str, Any]:
    table = scripts.version_table
    kept = {"version_table": table, **theirs}
    schema = kept.get("version_table_schema")
    if schema not in (None, session.location.schema):
        raise NotRun(
            f"env.py keeps its versions in schema '{schema}', where the target's own schema is "
            f"'{session.location.schema or 'the default'}'; leave version_table_schema out of "
            "env.py, and say schema in environments.toml"
        )
    for ours in ("connection", "url", "dialect_name"):
        kept.pop(ours, None)
    if kept["version_table"] != table:
        raise NotRun(
            f"env.py keeps its versions in table '{kept['version_table']}', environments.toml says "
            f"'{table}'; write version_table = \"{kept['version_table']}\" in "
            f"[databases.{scripts.name}]"
        )
    if kept.get("target_metadata") is None:
        kept["target_metadata"] = scripts.metadata()
    if session.location.backend == "sqlite" and kept.get("transactional_ddl") is None:
        kept["transactional_ddl"] = True  # the session begins real transactions
    return kept


def run_environment(scripts: Scripts, session: Session, fn: Steps, **options: Any) -> None:
    """Run ``env.py`` once, with ``fn`` giving the steps. Leaves no transaction open."""
    ran = False

    def once(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
        nonlocal ran
        ran = True
        return fn(heads, context)

    environment = target_environment(scripts, session, fn=once, **options)
    try:
        with environment, lazy_engines(session):
            scripts.directory.run_env()
    finally:
        if not session.connection.invalidated:
            session.connection.rollback()
    if not ran:
        raise NotRun(
            f"{scripts.folder / 'env.py'} ran no migrations: it must call context.configure() and "
            "context.run_migrations()"
        )


def watched(
    steps: list[Any], scripts: Scripts, session: Session, recorder: Recorder
) -> Iterator[Any]:
    """Give out steps that tell the recorder when they start and end, and watch the session.

    A lock is lost only with its connection, and the session's own never reconnects: on a
    direct one the first check is enough. A pooler could swap the server's session at any time.
    """
    for number, step in enumerate(steps):
        check = session.pooled or not number
        step.migration_fn = _watched(step, scripts, session, recorder, check=check)
        yield step


def _watched(
    step: Any, scripts: Scripts, session: Session, recorder: Recorder, *, check: bool
) -> Callable[..., None]:
    def migration_fn(**arguments: Any) -> None:
        if check:
            session.assert_locked()
        recorder.begin(step.revision.revision)
        scripts.fresh(step)(**arguments)
        recorder.end()
        if recorder.moved:
            session.assert_in_place()

    return migration_fn


def render_sql(scripts: Scripts, session: Session, revision: str, heads: tuple[str, ...]) -> str:
    """Return the SQL of an upgrade from ``heads``, as ``alembic upgrade --sql`` prints it."""
    buffer = io.StringIO()
    run_environment(
        scripts,
        session,
        lambda now, _: scripts.steps("upgrade", revision, now),
        as_sql=True,
        output_buffer=buffer,
        starting_rev=heads or "base",
        destination_rev=revision,
    )
    return buffer.getvalue()
