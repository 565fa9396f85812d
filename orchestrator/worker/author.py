"""revision and history: work on a database's scripts, without a target."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alembic.autogenerate.api import RevisionContext

from orchestrator.dialects import Timeouts
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.location import Location
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.command_line import command_options
from orchestrator.worker.context import Context
from orchestrator.worker.environment import run_environment
from orchestrator.worker.jobs import Job
from orchestrator.worker.migrate import bring_to_head
from orchestrator.worker.read import autogenerate, comparing
from orchestrator.worker.scripts import Scripts, revision_of
from orchestrator.worker.session import locked, open_session

_TIMEOUTS = Timeouts(lock=5.0)


def history(job: Job, target: str, context: Context) -> Outcome:
    """Return all revisions of the database, newest first, as ``data``."""
    scripts = context.scripts(job)
    found = tuple(revision_of(script) for script in scripts.directory.walk_revisions())
    return Outcome(target, State.DONE, heads=scripts.heads, data=found)


def revision(job: Job, target: str, context: Context) -> Outcome:
    """Write a revision file; ``data`` is its path, or ``None`` when the models need none.

    Autogenerate compares the models with a scratch database that all revisions were run on.
    """
    scripts = context.scripts(job)
    collected = autogenerate(scripts, message=job.message, autogenerate=not job.empty)
    if not job.empty:
        with _scratch(job, context) as location:
            _compare(scripts, location, collected, job)
        directives = collected.generated_revisions[-1]
        if all(operations.is_empty() for operations in directives.upgrade_ops_list):
            return Outcome(target, State.UNCHANGED, heads=scripts.heads)
    script = next(iter(collected.generate_scripts()))
    assert script is not None
    return Outcome(target, State.DONE, heads=(script.revision,), data=str(script.path))


def _compare(scripts: Scripts, location: Location, collected: RevisionContext, job: Job) -> None:
    with open_session(location, _TIMEOUTS, write=True) as session, locked(session) as held:
        bring_to_head(scripts, held, job.x)
        run_environment(
            scripts,
            held,
            comparing(collected),
            command_options("revision", job.x, message=job.message, autogenerate=not job.empty),
            template_args=collected.template_args,
            revision_context=collected,
        )


@contextlib.contextmanager
def _scratch(job: Job, context: Context) -> Iterator[Location]:
    file = context.file(job)
    url = file.config.databases[job.database].scratch
    labels = {"database": job.database}
    if url is not None:
        address = AddressTemplate.parse(url, None, file.folder).fill(labels)
        yield address.resolve(context.secrets(job).value)
        return
    with tempfile.TemporaryDirectory() as folder:
        address = AddressTemplate.parse("sqlite:///scratch.db", None, Path(folder)).fill(labels)
        location = address.resolve(context.secrets(job).value)
        yield replace(location, database=str(Path(folder) / "scratch.db"))
