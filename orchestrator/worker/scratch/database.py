"""A database to throw away, on which ``revision`` and ``merge`` run ``env.py``."""

import contextlib
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.autogenerate.api import RevisionContext
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator.dialects import Timeouts
from orchestrator.dialects.faults import message_of
from orchestrator.fleet.location import Location, backend_of
from orchestrator.fleet.scratch import scratch_address
from orchestrator.worker.connection.session import locked, open_session
from orchestrator.worker.context import Context
from orchestrator.worker.environment.env_py import learn, run_environment
from orchestrator.worker.environment.execution import Steps
from orchestrator.worker.jobs import Job
from orchestrator.worker.migration.migrate import bring_to_head
from orchestrator.worker.scripts.loading import BrokenScripts

_NAMES = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
_EXAMPLES = {
    "postgresql": "postgresql+psycopg://user:${env:PASSWORD}@localhost/scratch_{database}",
    "mysql": "mysql+pymysql://user:${env:PASSWORD}@localhost/scratch_{database}",
    "mariadb": "mariadb+pymysql://user:${env:PASSWORD}@localhost/scratch_{database}",
}
_TIMEOUTS = Timeouts(lock=5.0)


def run_env(
    job: Job,
    context: Context,
    steps: Steps,
    arguments: Namespace,
    template_args: dict[str, Any],
    collected: RevisionContext | None = None,
) -> None:
    """Run ``env.py`` on the scratch database, at head where something is compared with it.

    The template sees what it leaves in Alembic's ``Config``.
    """
    scripts = context.scripts(job)
    options: dict[str, Any] = {} if collected is None else {"revision_context": collected}
    with (
        scratch(job, context) as location,
        _told_of_kind(job, context, location),
        open_session(location, _TIMEOUTS, write=True) as session,
        locked(session) as held,
    ):
        profile = learn(scripts, held, arguments, destination_rev=job.revision)
        if getattr(arguments, "autogenerate", False):
            bring_to_head(scripts, held, job.x, profile, job.revision)
        options |= {"profile": profile, "template_args": template_args}
        run = run_environment(scripts, held, steps, arguments, **options)
        template_args["config"] = run.environment.config


def kind(job: Job, context: Context) -> str | None:
    """Return the dialect of the database's targets, ``None`` where it can't be told."""
    driver = context.driver(job)
    return None if driver is None else backend_of(driver)


@contextlib.contextmanager
def _told_of_kind(job: Job, context: Context, location: Location) -> Iterator[None]:
    """Raise ``BrokenScripts`` where what failed ran on SQLite, and is for another server."""
    try:
        yield
    except (SQLAlchemyError, NotImplementedError, CommandError) as error:
        theirs = kind(job, context)
        if location.backend != "sqlite" or theirs in {"sqlite", None}:
            raise
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        name = _NAMES[theirs]
        raise BrokenScripts(
            f"{message_of(cause)}\n  the scratch database that models are compared with is SQLite, "
            f"and the targets of {job.database} are on {name}: its revisions do not run on SQLite",
            f"create an empty database on {name} to throw away, and name it in environments.toml: "
            f'[project.scratch] {theirs} = "{_EXAMPLES[theirs]}"',
        ) from error


def scratch_location(job: Job, context: Context, backend: str | None) -> Location | None:
    """Return the scratch database that the file names for targets of a kind, if it names one."""
    file = context.file(job)
    address = scratch_address(file.config, file.folder, job.database, backend)
    return None if address is None else address.resolve(context.secrets(job).value)


@contextlib.contextmanager
def scratch(job: Job, context: Context) -> Iterator[Location]:
    found = scratch_location(job, context, kind(job, context))
    if found is not None:
        yield found
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "scratch.db")
        yield Location("sqlite", None, None, None, None, path, {}, None)
