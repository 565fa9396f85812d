"""In what two plans differ: the sealed one, and what would be planned now."""

from collections.abc import Iterable, Iterator

from orchestrator.rollout.plan import Plan, PlannedTarget


def differences(sealed: Plan, now: Plan) -> list[str]:
    """Return what a run of ``now`` would do otherwise than ``sealed`` says, a line for each.

    Targets that only one of them has are no difference: see ``appeared`` and ``vanished``.
    """
    return [*_settings(sealed, now), *_scripts(sealed, now), *_targets(sealed, now)]


def appeared(sealed: Plan, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the targets that are there now which were not when the plan was sealed."""
    known = {target.name for target in sealed.targets}
    return tuple(name for name in names if name not in known)


def vanished(sealed: Plan, names: Iterable[str]) -> tuple[str, ...]:
    """Return the targets of the plan that are not there any more."""
    there = set(names)
    return tuple(target.name for target in sealed.targets if target.name not in there)


def changes(sealed: Plan, now: Plan) -> list[str]:
    """Return in what the scripts and the waves differ: what must not change under a run."""
    return [*_settings(sealed, now, limits=False), *_scripts(sealed, now)]


def _settings(sealed: Plan, now: Plan, *, limits: bool = True) -> Iterator[str]:
    names = {
        "project": "the project",
        "verb": "the command",
        "revision": "the destination",
        "program": "the version of this program",
        "alembic": "the version of Alembic",
    }
    for name, words in names.items():
        then, is_now = getattr(sealed, name), getattr(now, name)
        if then != is_now and (limits or name not in {"program", "alembic"}):
            yield f"{words} is {is_now}; the plan says {then}"
    if sealed.arguments != now.arguments:
        yield "the arguments of -x are not those of the plan"
    for environment in {**sealed.rollouts, **now.rollouts}:
        then, is_now = (p.rollouts.get(environment, {}) for p in (sealed, now))
        for key in sorted({*then, *is_now} - (frozenset() if limits else _LIMITS)):
            if then.get(key) != is_now.get(key):
                yield f"{key} of {environment}'s rollout was changed"


_LIMITS = frozenset(
    {
        "max_parallel",
        "max_per_server",
        "lock_timeout",
        "wait_for_lock",
        "statement_timeout",
        "target_timeout",
        "retries",
        "retry_delay",
        "databases",
    }
)


def _scripts(sealed: Plan, now: Plan) -> Iterator[str]:
    for database, revisions in sealed.revisions.items():
        there = now.revisions.get(database, {})
        for id_, revision in revisions.items():
            if id_ not in there:
                yield f"revision {id_} of {database} is not to be run any more"
            elif there[id_].sha256 != revision.sha256:
                yield f"the file of revision {id_} of {database} was edited"
        for id_ in there:
            if id_ not in revisions:
                yield f"revision {id_} of {database} is not in the plan"
    for database in now.revisions:
        if database not in sealed.revisions:
            yield f"{database} has revisions to run that are not in the plan"


def _targets(sealed: Plan, now: Plan) -> Iterator[str]:
    there = {target.name: target for target in now.targets}
    for target in sealed.targets:
        is_now = there.get(target.name)
        if is_now is None:
            continue
        if is_now.place != target.place:
            yield f"{target.name} is at {is_now.place}; the plan says {target.place}"
        elif is_now.heads != target.heads:
            yield f"{target.name} stands at {_heads(is_now)}; the plan says {_heads(target)}"
        elif is_now.goal != target.goal or is_now.revisions != target.revisions:
            yield f"{target.name} would take another way than the plan says"
        elif is_now.schema_class != target.schema_class:
            yield f"the schema of {target.name} is another than when the plan was made"


def _heads(target: PlannedTarget) -> str:
    if target.heads is None:
        return "what can't be read"
    return ", ".join(target.heads) or "no revision"
