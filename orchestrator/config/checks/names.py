"""What types can't say: names that must exist, cycles, duplicates, labels that nothing fills."""

import re
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.config.checks.engine import check_engine
from orchestrator.config.checks.rollouts import check_requires, check_rollout
from orchestrator.config.checks.tenants import check_tenants
from orchestrator.config.checks.urls import check_urls
from orchestrator.config.models import Config, Database
from orchestrator.config.names import name_problem
from orchestrator.config.problems import Path, Problem, did_you_mean


def check(config: Config) -> list[Problem]:
    """Return every mistake in a file whose types are right."""
    return [
        *_names("databases", config.databases, "a database"),
        *_names("environments", config.environments, "an environment"),
        *_order(config),
        *_scripts(config.databases),
        *_revision(config.databases),
        *_after(config.databases),
        *_cycles(config.databases),
        *_overrides(config),
        *(p for name, env in config.environments.items() for p in check_tenants(name, env)),
        *check_requires(config),
        *(p for name, env in config.environments.items() for p in check_rollout(name, env)),
        *check_urls(config),
        *check_engine(config.engine),
    ]


def _names(table: str, named: Mapping[str, object], kind: str) -> Iterator[Problem]:
    for name in named:
        problem = name_problem(name)
        if problem:
            yield Problem((table, name), f"'{name}' can't name {kind}", problem, on_key=True)


def _order(config: Config) -> Iterator[Problem]:
    at = ("project", "order")
    yield from _listed(at, config.project.order or (), config.environments, "environment")


def _scripts(databases: Mapping[str, Database]) -> Iterator[Problem]:
    for name, database in databases.items():
        if database.script_location is None and database.config_file is None:
            hint = (
                'for example: script_location = "migrations/orders", or config_file = "alembic.ini"'
            )
            yield Problem(("databases", name), "'script_location' is missing", hint)
        if database.ini_section is not None and database.config_file is None:
            at = ("databases", name, "ini_section")
            yield Problem(at, "this is a section of what?", 'add config_file = "alembic.ini"')


def _revision(databases: Mapping[str, Database]) -> Iterator[Problem]:
    for name, database in databases.items():
        revision = database.revision or ""
        relative = re.search(r"[+-]\d+$", revision)
        if relative or ":" in revision or revision == "base":
            at = ("databases", name, "revision")
            hint = 'for example: revision = "main@head", or the id of a revision'
            yield Problem(at, f"'{revision}' is no place where all targets can be", hint)


def _after(databases: Mapping[str, Database]) -> Iterator[Problem]:
    for name, database in databases.items():
        at = ("databases", name, "after")
        yield from _listed(at, database.after, databases, "database")
        for index, other in enumerate(database.after):
            if other == name:
                yield Problem((*at, index), f"database '{name}' can't come after itself")


def _listed(
    at: Path, names: Sequence[str], known: Mapping[str, object], kind: str
) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name not in known:
            hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            yield Problem((*at, index), f"unknown {kind} '{name}' in {at[-1]}", hint)
        elif name in names[:index]:
            yield Problem((*at, index), f"{kind} '{name}' is twice in {at[-1]}")


def _cycles(databases: Mapping[str, Database]) -> Iterator[Problem]:
    """Yield each cycle once, at the ``after`` that closes it."""
    done: set[str] = set()
    for start in databases:
        if start not in done:
            yield from _walk(databases, start, done)


def _walk(databases: Mapping[str, Database], start: str, done: set[str]) -> Iterator[Problem]:
    # A stack of our own: a long chain must not end in a RecursionError.
    trail, pending = [start], [_edges(databases, start)]
    while pending:
        index, after = next(pending[-1], (0, None))
        if after is None:
            pending.pop()
            done.add(trail.pop())
        elif after in trail:
            cycle = " → ".join([*trail[trail.index(after) :], after])
            at = ("databases", trail[-1], "after", index)
            yield Problem(at, f"databases come after each other: {cycle}")
        elif after not in done:
            trail.append(after)
            pending.append(_edges(databases, after))


def _edges(databases: Mapping[str, Database], name: str) -> Iterator[tuple[int, str | None]]:
    for index, other in enumerate(databases[name].after):
        # One mistake, one message: other checks speak of these.
        if other in databases and other != name and other not in databases[name].after[:index]:
            yield index, other


def _overrides(config: Config) -> Iterator[Problem]:
    known = config.databases
    for name, environment in config.environments.items():
        for database in environment.databases:
            if database not in known:
                hint = did_you_mean(database, known) or f"there are: {', '.join(known)}"
                at = ("environments", name, "databases", database)
                yield Problem(at, f"unknown database '{database}'", hint, on_key=True)
