"""Checks of tenants: their names, their labels, and where they are discovered."""

from collections.abc import Iterator

from orchestrator.config.models import (
    Environment,
    Tenant,
    TenantsFromDatabases,
    TenantsFromFiles,
    TenantsFromSchemas,
)
from orchestrator.config.names import label_problem, tenant_name_problem
from orchestrator.config.problems import Problem
from orchestrator.config.template import parse
from orchestrator.config.urls import backend


def check_tenants(name: str, environment: Environment) -> Iterator[Problem]:
    """Yield what is wrong with the tenants of one environment."""
    source = environment.tenants
    if isinstance(source, tuple):
        yield from _listed(name, source)
    elif isinstance(source, TenantsFromDatabases):
        yield from _databases(name, environment, source)
    elif isinstance(source, TenantsFromSchemas):
        yield from _schemas(name, environment, source)
    elif isinstance(source, TenantsFromFiles):
        yield from _files(name, environment, source)


def _listed(environment: str, tenants: tuple[str | Tenant, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, tenant in enumerate(tenants):
        at = ("environments", environment, "tenants", index)
        name, labels = (tenant, ()) if isinstance(tenant, str) else (tenant.name, _labels(tenant))
        where = at if isinstance(tenant, str) else (*at, "name")
        problem = tenant_name_problem(name)
        if problem:
            yield Problem(where, f"'{name}' can't name a tenant: {problem}")
        if name in seen:
            yield Problem(where, f"tenant '{name}' is listed twice")
        seen.add(name)
        for label in labels:
            problem = label_problem(label)
            if problem:
                yield Problem((*at, label), f"'{label}' can't be a label", problem, on_key=True)


def _labels(tenant: Tenant) -> tuple[str, ...]:
    return tuple(tenant.model_extra or ())


def _databases(
    name: str, environment: Environment, source: TenantsFromDatabases
) -> Iterator[Problem]:
    at = ("environments", name, "tenants", "databases")
    if "sqlite" in {backend(environment.url), backend(source.url or "")}:
        hint = 'for SQLite write tenants = { files = "var/*.db" }'
        yield Problem(at, "SQLite has no server whose databases could be listed", hint)
    yield from _pattern(name, "databases", source.databases, "shop_%")
    yield from _place_of_tenant(name, "url", environment.url)


def _schemas(name: str, environment: Environment, source: TenantsFromSchemas) -> Iterator[Problem]:
    at = ("environments", name, "tenants", "schemas")
    if {backend(environment.url), backend(source.url or "")} - {"postgresql", None}:
        hint = 'elsewhere write tenants = { databases = "shop_%" }, for SQLite { files = … }'
        yield Problem(at, "only PostgreSQL has schemas that could be listed", hint)
    yield from _pattern(name, "schemas", source.schemas, "tenant_%")
    if not environment.schema_:
        hint = 'add schema = "tenant_{tenant}" beside url'
        yield Problem(at, f"environment '{name}' has no 'schema' for these tenants", hint)
    else:
        yield from _place_of_tenant(name, "schema", environment.schema_)


def _files(name: str, environment: Environment, source: TenantsFromFiles) -> Iterator[Problem]:
    at = ("environments", name, "tenants", "files")
    if backend(environment.url) not in {"sqlite", None}:
        hint = 'on a server write tenants = { databases = "shop_%" }'
        yield Problem(at, "only SQLite keeps its databases in files", hint)
    if not set("*?[") & set(source.files):
        yield Problem(at, "the pattern has no '*'", 'for example: files = "var/prod/*.db"')
    yield from _place_of_tenant(name, "url", environment.url)


def _pattern(name: str, key: str, pattern: str, example: str) -> Iterator[Problem]:
    if "%" not in pattern:
        hint = f"for example: {key} = \"{example}\", where '%' stands for anything"
        yield Problem(("environments", name, "tenants", key), "the pattern has no '%'", hint)


def _place_of_tenant(name: str, key: str, text: str) -> Iterator[Problem]:
    # Within a secret's name it would not do: what is discovered is compared with the text.
    if "tenant" not in {getattr(part, "name", None) for part in parse(text).parts}:
        hint = "write {tenant} where the tenant's name is in it"
        message = f"tenants are discovered, but there is no {{tenant}} in {key}"
        yield Problem(("environments", name, key), message, hint)
