"""revision, merge and history: work on a database's scripts, without a target."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alembic import util
from alembic.autogenerate.api import RevisionContext
from alembic.script import Script
from alembic.util import CommandError

from orchestrator.rollout.outcomes import Outcome, Revision, State
from orchestrator.worker.autogenerate.check import autogenerate, comparing
from orchestrator.worker.autogenerate.write_hooks import noticed_hooks
from orchestrator.worker.context import Context
from orchestrator.worker.environment.command_line import command_options
from orchestrator.worker.environment.execution import Steps
from orchestrator.worker.failures import failure_of
from orchestrator.worker.jobs import Job, NewScript
from orchestrator.worker.scratch.database import run_env
from orchestrator.worker.scripts.directory import Scripts, revision_of
from orchestrator.worker.scripts.loading import BrokenScripts
from orchestrator.worker.scripts.parsing import written_revisions


def history(job: Job, target: str, context: Context) -> Outcome:
    """Return the revisions of the database, newest first, as ``data``.

    All of them, or those of ``job.rev_range``. Raises ``CommandError`` as ``alembic`` does.
    """
    scripts = context.scripts(job)
    base, head = _ends(job.rev_range)
    walked = scripts.directory.walk_revisions(base=base or "base", head=head or "heads")
    return Outcome(target, State.DONE, heads=scripts.heads, data=tuple(map(revision_of, walked)))


def revisions(job: Job, target: str, context: Context) -> Outcome:
    """Return all revisions of the database, newest first, as ``data``, with a warning or ``None``.

    ``heads`` are where its targets are to be. Where the scripts can't be loaded, what their files
    spell is returned, and the warning says why.
    """
    scripts = context.scripts(job)
    try:
        goal = scripts.ids(job.revision)
        return Outcome(target, State.DONE, heads=goal, data=(_all(scripts), None))
    except BaseException as error:
        if job.revision != "heads":
            raise  # who could say where that is?
        try:
            found = written_revisions(scripts.files())
        except ValueError:
            raise error from None
        return Outcome(target, State.DONE, data=(found, failure_of(error, "sqlite").message))


def _all(scripts: Scripts) -> tuple[Revision, ...]:
    return tuple(map(revision_of, scripts.directory.walk_revisions()))


def revision(job: Job, target: str, context: Context) -> Outcome:
    """Write a revision file, or several where ``process_revision_directives`` makes more of it.

    ``data`` has the revisions, none when the models need none, and warnings. Autogenerate compares
    the models with a scratch database that all revisions were run on. ``revision_environment``
    runs ``env.py`` on an empty one.
    """
    scripts, asked = context.scripts(job), job.script
    if asked.head == "head" and "@" in job.revision:
        asked = replace(asked, head=job.revision)
    options = _options(asked)
    _assert_new(scripts, asked.rev_id)
    collected = autogenerate(scripts, **options)
    if not asked.empty or scripts.runs_env_to_write:
        arguments = command_options("revision", job.x, **options)
        steps = _without_comparing(collected) if asked.empty else comparing(collected)
        run_env(job, context, steps, arguments, collected.template_args, collected)
    directives = collected.generated_revisions
    if not asked.empty and all(
        ops.is_empty() for script in directives for ops in script.upgrade_ops_list
    ):
        return Outcome(target, State.UNCHANGED, heads=scripts.heads, data=((), ()))
    return _written(scripts, target, collected.generate_scripts())


def merge(job: Job, target: str, context: Context) -> Outcome:
    """Write a revision that merges others, as ``alembic merge`` does."""
    scripts, asked = context.scripts(job), job.script
    _assert_new(scripts, asked.rev_id)
    merged = set(scripts.directory.get_revisions(asked.revisions))
    if len(merged) < 2:
        one = ", ".join(script.revision for script in merged if script) or "base"
        raise BrokenScripts(
            f"there is nothing to merge: {' '.join(asked.revisions)} is one revision, {one}",
            "name two or more; `orchestrator history` lists them",
        )
    template_args: dict[str, Any] = {"config": scripts.config}
    if scripts.runs_env_to_write:
        options = {"message": asked.message, "revisions": list(asked.revisions)}
        arguments = command_options("merge", job.x, **options)
        run_env(job, context, lambda *_: [], arguments, template_args)

    def write() -> Iterator[Script | None]:
        yield scripts.directory.generate_revision(
            asked.rev_id or util.rev_id(),
            asked.message,
            refresh=True,
            head=asked.revisions,
            splice=asked.splice,
            branch_labels=asked.branch_label,
            **template_args,
        )

    return _written(scripts, target, write())


def _ends(rev_range: str | None) -> tuple[str, str]:
    if rev_range is None:
        return "", ""
    base, colon, head = rev_range.strip().partition(":")
    if not colon or ":" in head:
        raise CommandError("History range requires [start]:[end], [start]:, or :[end]")
    if "current" in (base, head):
        raise BrokenScripts(
            "a range of a database's revisions has no 'current': each target stands somewhere else",
            "name a revision; `orchestrator status` tells where targets stand",
        )
    return base, head


def _options(asked: NewScript) -> dict[str, Any]:
    return {
        "message": asked.message,
        "autogenerate": not asked.empty,
        "head": asked.head,
        "splice": asked.splice,
        "branch_label": asked.branch_label,
        "version_path": asked.version_path,
        "rev_id": asked.rev_id,
        "depends_on": list(asked.depends_on) or None,
    }


def _assert_new(scripts: Scripts, rev_id: str | None) -> None:
    """Refuse an id that is there: Alembic would write a second, or write over the first."""
    known = {script.revision: script for script in scripts.directory.walk_revisions()}
    if rev_id in known:
        raise BrokenScripts(
            f"there is a revision '{rev_id}' already: {known[rev_id].path}",
            "take another --rev-id, or leave it out",
        )


def _written(scripts: Scripts, target: str, writing: Iterator[Script | None]) -> Outcome:
    before = scripts.files()
    try:
        with noticed_hooks() as warnings:
            found = tuple(revision_of(script) for script in writing if script is not None)
    except Exception as error:
        left = ", ".join(map(str, sorted(scripts.files() - before)))
        step = f"{left} was written before: fix it, or delete it" if left else None
        step = step or _step_for(str(error), scripts, target)
        if step is None:
            raise
        kind = "" if isinstance(error, CommandError) else f"{type(error).__name__}: "
        raise BrokenScripts(f"{kind}{error}", step) from error
    ids = tuple(written.id for written in found)
    return Outcome(target, State.DONE, heads=ids, data=(found, tuple(warnings)))


def _step_for(message: str, scripts: Scripts, target: str) -> str | None:
    """What helps against Alembic's own errors, which leave out the choices that there are."""
    if message.startswith("Multiple heads are present"):
        heads = ", ".join(scripts.heads)
        return f"pass --head with one of {heads}; or merge: orchestrator merge {target} -m …"
    if "version locations" in message:
        return "--version-path is one of " + ", ".join(map(str, scripts.folders[1:]))
    return None


def _without_comparing(collected: RevisionContext) -> Steps:
    def collect(heads: tuple[str, ...], run: Any) -> list[Any]:
        collected.run_no_autogenerate(heads, run.environment.get_context())
        return []

    return collect
