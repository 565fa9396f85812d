"""The tenants of an environment: listed, or where to find them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

from orchestrator.config.base import TAG, LabelValue, Model, TemplateText, Text


class Tenant(Model):
    """A tenant and its labels: every key beside ``name`` is a label of its own."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, LabelValue]

    name: Text = Field(examples=["acme"])
    """The tenant's name."""


class TenantsFromCsv(Model):
    """Tenants from a CSV file: a header with ``name``, each further column is a label."""

    csv: Text = Field(examples=["tenants.csv"])
    """The file's path."""


class TenantsFromQuery(Model):
    """Tenants from a SQL query on a control database."""

    query: Text = Field(examples=["SELECT name, tier FROM tenants ORDER BY id"])
    """Returns a column ``name``; each further column is a label."""
    url: TemplateText = Field(examples=["${env:CONTROL_DB_URL}"])
    """The control database."""


class TenantsFromCommand(Model):
    """Tenants from a command that prints JSON lines: ``{"name": "acme", "tier": "free"}``."""

    command: tuple[Text, ...] = Field(min_length=1, examples=[["./tenants", "--json"]])
    """The program and its arguments. It runs in the folder of ``environments.toml``."""


class TenantsFromDatabases(Model):
    """Tenants discovered from the databases of the environment's server."""

    databases: Text = Field(examples=["shop_%"])
    """A pattern in which ``%`` stands for anything: ``shop_%``. What the environment's ``url`` has
    in place of ``{tenant}`` is the tenant's name."""
    url: TemplateText | None = None
    """Where to look. Left out: the server of the environment's ``url``."""


class TenantsFromSchemas(Model):
    """Tenants discovered from the schemas of the environment's PostgreSQL database."""

    schemas: Text = Field(examples=["tenant_%"])
    """A pattern in which ``%`` stands for anything: ``tenant_%``. What the environment's ``schema``
    has in place of ``{tenant}`` is the tenant's name."""
    url: TemplateText | None = None
    """Where to look. Left out: the environment's ``url``."""


class TenantsFromFiles(Model):
    """Tenants discovered from SQLite files."""

    files: Text = Field(examples=["var/prod/*.db"])
    """A glob: ``var/prod/*.db``. What the environment's ``url`` has in place of ``{tenant}`` is the
    tenant's name."""


_SOURCES = {
    "csv": TenantsFromCsv,
    "query": TenantsFromQuery,
    "command": TenantsFromCommand,
    "databases": TenantsFromDatabases,
    "schemas": TenantsFromSchemas,
    "files": TenantsFromFiles,
}
TENANT_SOURCES: tuple[str, ...] = tuple(_SOURCES)


def _kind_of_tenants(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return TAG + "list"
    if isinstance(value, Model):
        found = (kind for kind, model in _SOURCES.items() if isinstance(value, model))
    else:
        found = (kind for kind in _SOURCES if isinstance(value, Mapping) and kind in value)
    kind = next(found, None)
    return kind and TAG + kind


def _kind_of_tenant(value: Any) -> str | None:
    if isinstance(value, str):
        return TAG + "name"
    return TAG + "labels" if isinstance(value, Mapping | Tenant) else None


TenantItem = Annotated[
    Annotated[Text, Tag(TAG + "name")] | Annotated[Tenant, Tag(TAG + "labels")],
    Discriminator(
        _kind_of_tenant,
        custom_error_type="tenant",
        custom_error_message=(
            'a tenant is a name, or a table of labels: { name = "acme", tier = "free" }'
        ),
    ),
]
TenantSource = (
    TenantsFromCsv
    | TenantsFromQuery
    | TenantsFromCommand
    | TenantsFromDatabases
    | TenantsFromSchemas
    | TenantsFromFiles
)
Tenants = Annotated[
    Annotated[tuple[TenantItem, ...], Tag(TAG + "list")]
    | Annotated[TenantsFromCsv, Tag(TAG + "csv")]
    | Annotated[TenantsFromQuery, Tag(TAG + "query")]
    | Annotated[TenantsFromCommand, Tag(TAG + "command")]
    | Annotated[TenantsFromDatabases, Tag(TAG + "databases")]
    | Annotated[TenantsFromSchemas, Tag(TAG + "schemas")]
    | Annotated[TenantsFromFiles, Tag(TAG + "files")],
    Discriminator(
        _kind_of_tenants,
        custom_error_type="tenants",
        custom_error_message=(
            f"tenants are a list, or a table with one of {', '.join(TENANT_SOURCES)}"
        ),
    ),
]
