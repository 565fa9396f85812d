"""The tenants of an environment, read from wherever the file says they are."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.config.models import Config
from orchestrator.config.problems import Problem, Problems
from orchestrator.config.secrets import Secrets
from orchestrator.config.tenants import (
    TenantsFromCommand,
    TenantsFromCsv,
    TenantsFromDatabases,
    TenantsFromFiles,
    TenantsFromQuery,
    TenantsFromSchemas,
    TenantSource,
)
from orchestrator.fleet.labels import TenantLabels, labels_of
from orchestrator.inspection.tenants.discovered import Search
from orchestrator.inspection.tenants.listed import from_command, from_csv, from_query


def read_tenants(
    environment: str, config: Config, folder: Path, secrets: Secrets
) -> tuple[TenantLabels, ...]:
    """Return the tenants of an environment in the order in which they are to run.

    That is the order of the list, file, query or command; discovered ones are sorted. Nothing is
    changed or created anywhere. Raises ``Problems`` for what the file or the source says wrong,
    an empty source included, ``TargetsFailed`` when a source can't be read, and ``SecretError``.
    No message holds a secret.
    """
    source = config.environments[environment].tenants
    if isinstance(source, tuple):
        return tuple(labels_of(item) for item in source)
    found = _read(source, environment, config, folder, secrets)
    if not found:
        key, _ = next(iter(source))
        at = ("environments", environment, "tenants", key)
        what = f"environment '{environment}' has no tenants: {_none(source)}"
        raise Problems([Problem(at, what)])
    return tuple(found)


def _none(source: TenantSource) -> str:
    match source:
        case TenantsFromCsv():
            return f"{source.csv} has no rows"
        case TenantsFromQuery():
            return "the query returned no rows"
        case TenantsFromCommand():
            return f"the command '{source.command[0]}' printed nothing"
        case TenantsFromDatabases():
            return f"no database is like '{source.databases}' and fits the url"
        case TenantsFromSchemas():
            return f"no schema is like '{source.schemas}' and fits the schema"
        case TenantsFromFiles():
            return f"no file is like '{source.files}' and fits the url"


def _read(
    source: TenantSource, environment: str, config: Config, folder: Path, secrets: Secrets
) -> Sequence[TenantLabels]:
    match source:
        case TenantsFromCsv():
            return from_csv(source, environment, folder)
        case TenantsFromQuery():
            return from_query(source, environment, folder, secrets)
        case TenantsFromCommand():
            return from_command(source, environment, folder, secrets)
        case _:
            names = Search(source, environment, config, folder, secrets).tenants()
            return [{"name": name} for name in names]
