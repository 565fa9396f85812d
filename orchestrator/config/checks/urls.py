"""Checks of URLs and schemas: their form, and that every placeholder in them is filled."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.config.checks.engine import check_place
from orchestrator.config.checks.rollouts import gates
from orchestrator.config.models import (
    Config,
    Environment,
    Tenant,
    TenantsFromCommand,
    TenantsFromCsv,
    TenantsFromDatabases,
    TenantsFromQuery,
    TenantsFromSchemas,
)
from orchestrator.config.problems import Path, Problem, did_you_mean
from orchestrator.config.template import parse
from orchestrator.config.urls import backend, url_problem

_SHOWN_TENANTS = 3
_ALWAYS = frozenset({"environment", "database"})
_OF_TENANTS = _ALWAYS | {"tenant", "name"}


def check_urls(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with any URL or schema of the file."""
    yield from _url(("project", "ledger"), config.project.ledger, frozenset())
    for kind in ("postgresql", "mysql", "mariadb", "sqlite"):
        url = getattr(config.project.scratch, kind)
        if url:
            yield from _scratch(("project", "scratch", kind), kind, url)
    for name, database in config.databases.items():
        if database.scratch:
            at = ("databases", name, "scratch")
            yield from _url(at, database.scratch, frozenset({"database"}))
    for name, environment in config.environments.items():
        yield from _environment(name, environment)
        yield from _place(("environments", name), environment)


def _place(at: Path, environment: Environment) -> Iterator[Problem]:
    if environment.place is not None:
        yield from check_place(at, environment.place)
        yield from _filled((*at, "place"), environment.place, environment)


def _scratch(at: Path, kind: str, url: str) -> Iterator[Problem]:
    yield from _url(at, url, frozenset({"database"}))
    alike = {kind, "mysql", "mariadb"} if kind in {"mysql", "mariadb"} else {kind}
    if backend(url) not in {*alike, None}:
        message = f"a scratch database for {kind} is on {backend(url)}"
        yield Problem(at, message, hint="name it by the kind of server that its url leads to")


def _environment(name: str, environment: Environment) -> Iterator[Problem]:
    at: Path = ("environments", name)
    source = environment.tenants
    if isinstance(source, TenantsFromQuery):
        yield from _url((*at, "tenants", "url"), source.url, frozenset({"environment"}))
    if isinstance(source, TenantsFromDatabases | TenantsFromSchemas) and source.url:
        yield from _url((*at, "tenants", "url"), source.url, _ALWAYS)
    for gate_at, gate in gates((*at, "rollout"), environment):
        if gate.query is not None and gate.query.url is not None:
            place = (*gate_at, "query", "url")
            yield from _url(place, gate.query.url, frozenset({"environment"}))
    yield from _arguments(at, environment.x, environment)
    for database, override in environment.databases.items():
        yield from _arguments((*at, "databases", database), override.x, environment)
    for where, url, schema, own_schema in _places(at, environment):
        if url is not None:
            yield from _form((*where, "url"), url)
            yield from _filled((*where, "url"), url, environment)
        if schema and own_schema:
            yield from _filled((*where, "schema"), schema, environment)
        if schema and backend(environment.url if url is None else url) not in {"postgresql", None}:
            key = "schema" if own_schema else "url"
            message = "only PostgreSQL has a schema for each target"
            hint = "name the database in url, or leave 'schema' out"
            yield Problem((*where, key), message, hint)


def _arguments(
    at: Path, x: Mapping[str, str | bool], environment: Environment
) -> Iterator[Problem]:
    for key, value in x.items():
        if isinstance(value, str):
            yield from _filled((*at, "x", key), value, environment)


def _places(
    at: Path, environment: Environment
) -> Iterator[tuple[Path, str | None, str | None, bool]]:
    """Yield the environment and its overrides: place, own URL, schema, is that its own."""
    yield at, environment.url, environment.schema_, True
    for name, override in environment.databases.items():
        own = override.schema_ is not None
        if own or override.url is not None:
            schema = override.schema_ if own else environment.schema_
            yield (*at, "databases", name), override.url, schema, own


def _url(at: Path, url: str, known: frozenset[str]) -> Iterator[Problem]:
    yield from _form(at, url)
    for label in sorted(parse(url).labels - known):
        yield Problem(at, f"nothing fills {{{label}}} here", _known(label, known))


def _form(at: Path, url: str) -> Iterator[Problem]:
    problem = url_problem(url)
    if problem:
        yield Problem(at, *problem)


def _filled(at: Path, text: str, environment: Environment) -> Iterator[Problem]:
    """Yield the labels in ``text`` that some tenant does not have."""
    tenants = environment.tenants
    if isinstance(tenants, TenantsFromCsv | TenantsFromQuery | TenantsFromCommand):
        return  # What labels they have is known only once they are read.
    for label in sorted(parse(text).labels - _ALWAYS):
        if isinstance(tenants, tuple):
            yield from _lacking(at, label, tenants)
        elif label not in _OF_TENANTS:
            message = f"nothing fills {{{label}}}: discovered tenants have no label but their name"
            yield Problem(at, message, _known(label, _OF_TENANTS))


def _lacking(at: Path, label: str, tenants: Sequence[str | Tenant]) -> Iterator[Problem]:
    if not tenants:
        message = f"nothing fills {{{label}}}: environment '{at[1]}' has no tenants"
        hint = 'add tenants = ["acme", "birch"], or leave the placeholder out'
        yield Problem(at, message, did_you_mean(label, _ALWAYS) or hint)
        return
    lacking = [_name(tenant) for tenant in tenants if label not in _labels(tenant)]
    if lacking:
        has = "has" if len(lacking) == 1 else "have"
        known = frozenset[str]().union(*map(_labels, tenants)) - {label}
        message = f"nothing fills {{{label}}}: {_some(lacking)} {has} no label '{label}'"
        yield Problem(at, message, _known(label, known))


def _known(label: str, known: frozenset[str]) -> str:
    placeholders = ", ".join(f"{{{name}}}" for name in sorted(known) if name.isidentifier())
    return did_you_mean(label, known) or (
        f"there are: {placeholders}" if known else "leave the placeholder out"
    )


def _labels(tenant: str | Tenant) -> frozenset[str]:
    return _OF_TENANTS if isinstance(tenant, str) else _OF_TENANTS.union(tenant.model_extra or ())


def _name(tenant: str | Tenant) -> str:
    return tenant if isinstance(tenant, str) else tenant.name


def _some(names: Sequence[str]) -> str:
    shown = [f"'{name}'" for name in names[:_SHOWN_TENANTS]]
    if len(names) > _SHOWN_TENANTS:
        return f"tenants {', '.join(shown)} and {len(names) - _SHOWN_TENANTS} more"
    noun = "tenant" if len(shown) == 1 else "tenants"
    return f"{noun} {', '.join(shown)}"
