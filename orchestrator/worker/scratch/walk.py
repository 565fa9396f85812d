"""A history walked on a scratch database of one command's own, one revision after the other."""

from orchestrator.dialects import Timeouts
from orchestrator.dialects.creating import Creation
from orchestrator.errors import Refused
from orchestrator.fleet.location import Location
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.connection.session import locked, open_session
from orchestrator.worker.context import Context
from orchestrator.worker.environment.command_line import command_options
from orchestrator.worker.environment.env_py import learn
from orchestrator.worker.jobs import Job, Walked
from orchestrator.worker.migration.creating import create, drop_whole
from orchestrator.worker.migration.migrate import bring_to_head
from orchestrator.worker.scratch.database import scratch_location

_TIMEOUTS = Timeouts(lock=5.0)


def walk(job: Job, target: str, context: Context) -> Outcome:
    """Bring the scratch database that ``job.walked`` names to ``job.revision``.

    ``heads`` are where it is then, ``data`` its version table. Where that is asked for it is made
    instead, and one that is there already is refused: it may be somebody's. With ``job.drops`` it
    is taken away.
    """
    assert job.walked is not None
    location = _location(job, job.walked, context)
    if job.drops:
        drop_whole(location, _TIMEOUTS)
        return Outcome(target, State.DONE)
    if job.walked.begins:
        given = Creation(None, job.walked.charset, job.walked.collation)
        if location.backend != "sqlite" and not create(location, _TIMEOUTS, given):
            raise Refused(f"the scratch database {location.database} is there already")
        return Outcome(target, State.DONE)
    scripts = context.scripts(job)
    with open_session(location, _TIMEOUTS, write=True) as session, locked(session) as held:
        arguments = command_options("upgrade", job.x, revision=job.revision)
        profile = learn(scripts, held, arguments, destination_rev=job.revision)
        table = bring_to_head(scripts, held, job.x, profile, job.revision)
        return Outcome(target, State.DONE, heads=held.heads(table), data=table)


def _location(job: Job, walked: Walked, context: Context) -> Location:
    found = scratch_location(job, context, walked.backend)
    return walked.at(found)
