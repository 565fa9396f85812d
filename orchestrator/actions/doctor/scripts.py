"""Each database's revisions and ``env.py``, looked at by a worker."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestrator.actions.doctor.checks import Check, Verdict
from orchestrator.dialects.rights import some_of
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import OrchestratorError
from orchestrator.fleet.location import Location, backend_of
from orchestrator.fleet.scratch import is_alike, scratch_address
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.runs.context import ProjectContext
from orchestrator.worker.jobs import Examined, Verb

_SHOWN = 12
"""Variables that are named."""


def check_databases(
    project: ProjectContext, workers: Workers, targets: Sequence[Target]
) -> Iterator[Check]:
    """Let a worker look at each database's scripts, and run its ``env.py`` for one target."""
    first: dict[str, Target] = {}
    for target in reversed(targets):
        first[target.database] = target
    for name in project.config.databases:
        if name in first and not workers.interrupted:
            yield from _database(project, workers, first[name])


def _database(project: ProjectContext, workers: Workers, target: Target) -> Iterator[Check]:
    about, file = f"database {target.database}", project.file
    location = _location(project, target)
    driver = target.address.driver if location is None else location.driver
    backend = backend_of(driver)
    try:
        address = scratch_address(file.config, file.folder, target.database, backend)
        named = None if address is None else address.resolve(project.secrets.value)
    except (OrchestratorError, ValueError) as error:
        yield Check(about, "scratch", Verdict.FAULT, str(error))
        return
    runs = backend == "sqlite" if named is None else is_alike(named.driver, driver)
    # Without its secrets env.py runs for no target, as for `orchestrator revision`.
    of = {"environment": target.environment, "labels": dict(target.labels)} if location else {}
    workers.begin(Verb.EXAMINE, [target.database], scripts_only=not runs, **of)
    lost = Outcome(target.database, State.FAILED, failure=Failure("its worker is gone"))
    outcome = workers.collected(wait=True).get(target.database, lost)
    if not isinstance(outcome.data, Examined):
        failure = outcome.failure or Failure("its scripts can't be read")
        yield Check(about, "scripts", Verdict.FAULT, failure.message, failure.next_step)
        return
    unreadable = outcome.data.unreadable
    if unreadable is not None:  # a revision may say anything, its target's URL too
        unreadable = project.redacted(unreadable, location)
    found = replace(outcome.data, unreadable=unreadable)
    yield from _revisions(about, target.database, found)
    if outcome.failure is not None:
        said = project.redacted(outcome.failure.message, named)
        yield Check(about, "env.py", Verdict.FAULT, said, outcome.failure.next_step)
    elif runs:
        yield Check(about, "env.py", Verdict.OK, "runs")
    else:
        text = "not run: there is no scratch database to run it on"
        step = f"name one: {backend} = … in [project.scratch]"
        yield Check(about, "env.py", Verdict.NOTE, text, step)
    yield from _of_env_py(about, outcome.data)


def _location(project: ProjectContext, target: Target) -> Location | None:
    """Return where a target is, unless only workers on other machines know that."""
    if project.config.engine.kind == "dask":
        return None
    return target.address.resolve(project.secrets.value)


def _revisions(about: str, database: str, found: Examined) -> Iterator[Check]:
    if found.unreadable is not None:
        yield Check(about, "revisions", Verdict.FAULT, found.unreadable, "fix that file")
        return
    counted = f"{found.revisions:,} {'revision' if found.revisions == 1 else 'revisions'}"
    if len(found.heads) > 1:
        heads = ", ".join(found.heads)
        step = f'merge them (orchestrator merge {database} -m …), or say revision = "BRANCH@head"'
        yield Check(about, "revisions", Verdict.NOTE, f"{counted}, several heads: {heads}", step)
    else:
        yield Check(
            about, "revisions", Verdict.OK, f"{counted}, head {', '.join(found.heads) or '-'}"
        )
    if found.one_way:
        shown = some_of(found.one_way)
        yield Check(about, "revisions", Verdict.NOTE, f"without downgrade(): {shown}")


def _of_env_py(about: str, found: Examined) -> Iterator[Check]:
    names = tuple(name for name in found.reads if name != "*")
    if names:
        given = [name for name in names if name not in found.unset]
        lacks = [f"{name} (not set)" for name in names if name in found.unset]
        shown, more = [*given, *lacks][:_SHOWN], len(names) - _SHOWN
        text = f"its code reads {', '.join(shown)}"
        text += f" and {more:,} more (-o json lists all)" if more > 0 else ""
        yield Check(about, "environment", Verdict.NOTE, text, names=names)
    if "*" in found.reads:
        text = "its code reads all variables that there are, as pydantic-settings does"
        yield Check(about, "environment", Verdict.NOTE, text)
    if found.of_its_own:
        text = f"each target is compared by itself: {', '.join(found.of_its_own)}"
        yield Check(about, "check", Verdict.NOTE, text)
