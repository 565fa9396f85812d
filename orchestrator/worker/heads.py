"""Where a target's heads are, and what they are."""

import contextlib
from argparse import Namespace

from orchestrator.worker.command_line import command_options
from orchestrator.worker.context import Context
from orchestrator.worker.environment import Habits, current, learn
from orchestrator.worker.jobs import Job
from orchestrator.worker.scripts import Scripts
from orchestrator.worker.session import Session, VersionTable, open_session

Heads = tuple[str, ...]


def habits_of(job: Job, context: Context) -> Habits:
    """Return what the database's ``env.py`` does, learnt once per worker on a session of its own.

    So whatever ``env.py`` imports is imported before the session that the job is done on is
    opened: listeners that an application registers for all engines hear of that one, too.
    """
    if job.database not in context.habits:
        scripts = context.scripts(job)
        with open_session(context.location(job), context.timeouts(job)) as session:
            session.assert_there()
            found = learn(scripts, session, _as_current(job, context))
        context.habits[job.database] = found
    return context.habits[job.database]


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
    habits = context.habits.get(job.database)
    if habits is None and not scripts.may_say_version_table:
        # What it imports may pass one all the same; then the usual table is not there.
        heads = session.heads(VersionTable())
        if heads:
            return heads, VersionTable()
        with contextlib.suppress(Exception):  # an env.py that can't run has no other table
            habits = habits_of(job, context)
    if habits is None and scripts.may_say_version_table:
        habits = habits_of(job, context)
    if habits is None or habits.plain:
        return session.heads(VersionTable()), VersionTable()
    return current(scripts, session, _as_current(job, context), habits)


def _as_current(job: Job, context: Context) -> Namespace:
    return command_options("current", context.x_arguments(job), verbose=False)
