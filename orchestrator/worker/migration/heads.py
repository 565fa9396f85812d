"""Where a target's heads are, and what they are."""

import contextlib
from argparse import Namespace
from typing import Any

from orchestrator.fleet.version_table import VersionTable
from orchestrator.worker.connection.session import Session, open_session
from orchestrator.worker.context import Context
from orchestrator.worker.environment.command_line import command_options
from orchestrator.worker.environment.env_py import current, learn
from orchestrator.worker.environment.execution import EnvPyProfile
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.scripts.directory import Scripts, UnknownRevision

Heads = tuple[str, ...]


def profile_of(job: Job, context: Context) -> EnvPyProfile:
    """Return what the database's ``env.py`` does, learnt once per worker on a session of its own.

    So whatever ``env.py`` imports is imported before the session that the job is done on is
    opened: listeners that an application registers for all engines hear of that one, too.
    """
    if job.database not in context.profiles:
        with open_session(context.location(job), context.timeouts(job)) as session:
            learn_profile(job, context, session)
    return context.profiles[job.database]


def learn_profile(job: Job, context: Context, session: Session) -> None:
    """Learn what ``env.py`` does from a session with the job's target."""
    session.assert_there()
    arguments, options = asked(job, context)
    found = learn(context.scripts(job), session, arguments, **options)
    context.profiles[job.database] = found


def asked(job: Job, context: Context) -> tuple[Namespace, dict[str, Any]]:
    """Return what ``alembic`` would give to ``env.py`` for a job: its command line, its options."""
    x = context.x_arguments(job)
    destination = job.revision
    match job.verb:
        case Verb.DOWNGRADE if job.back_to is not None:
            destination = ",".join(job.back_to) or "base"
            options = command_options(job.verb, x, revision=destination)
        case Verb.UPGRADE | Verb.DOWNGRADE:
            options = command_options(job.verb, x, revision=destination)
        case Verb.SQL:
            options = command_options("upgrade", x, revision=job.revision, sql=True)
        case Verb.STAMP:
            revisions = job.revision.split(",")
            options = command_options("stamp", x, revisions=revisions, purge=job.purge)
        case Verb.CHECK:
            return command_options("check", x), {}
        case _:
            return command_options("current", x, verbose=False), {}
    return options, {"destination_rev": destination}


def read_heads(
    job: Job, scripts: Scripts, session: Session, context: Context
) -> tuple[Heads, VersionTable]:
    """Read the heads, sorted, and tell from which table.

    ``env.py`` is run for that only where nothing else can say: where it may pass a version table
    of its own and ``environments.toml`` says none. Raises ``NoSchema``, and whatever it raises.
    """
    session.assert_there()
    table = scripts.version_table
    if table is not None:
        return session.heads(table), table
    if not scripts.may_say_version_table:
        profile = context.profiles.get(job.database)
        heads = session.heads(VersionTable())
        if profile is None and (not heads or not _are_known(heads, scripts)):
            # What env.py imports may pass a table of its own, and this one be somebody else's.
            with contextlib.suppress(Exception):  # an env.py that can't run has no other table
                profile = profile_of(job, context)
        if profile is None or profile.plain:
            return heads, VersionTable()
    arguments, options = asked(job, context)
    known = job.database in context.profiles
    profile = profile_of(job, context)
    if known or not profile.arguments:
        return current(scripts, session, arguments, profile, **options)
    place, more = context.location(job), profile.arguments
    with open_session(place, context.timeouts(job), arguments=more) as own:
        return current(scripts, own, arguments, profile, **options)


def _are_known(heads: Heads, scripts: Scripts) -> bool:
    try:
        scripts.assert_known(heads)
    except UnknownRevision:
        return False
    return True
