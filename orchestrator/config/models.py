"""The models of ``environments.toml``: frozen, closed, and the source of its JSON Schema."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    Tag,
)

from orchestrator.config.template import parse
from orchestrator.config.units import Duration, seconds

Scalar = str | int | float | bool
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


def _is_template(text: str) -> str:
    parse(text)
    return text


TemplateText = Annotated[str, AfterValidator(_is_template)]


class Model(BaseModel):
    """What every table of the file has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ProjectSettings(Model):
    """What the project is called, and its promotion path."""

    name: str = Field(min_length=1)
    """The project's name, shown in reports."""
    order: tuple[str, ...] | None = None
    """The promotion path: environments in the order in which they are upgraded. Left out: the
    order of the file. An environment that is not listed is upgraded only when it is selected."""
    ledger: TemplateText = "sqlite:///.orchestrator/ledger.db"
    """The database of runs: any SQLAlchemy URL."""


class Database(Model):
    """A logical database: one model and one Alembic migration history."""

    script_location: str = Field(min_length=1)
    """The folder of ``env.py`` and ``versions/``, as in Alembic."""
    metadata: Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$")] | None = None
    """Where the model's ``MetaData``, or its declarative base, is: ``package.module:name``. Used
    where ``env.py`` passes no ``target_metadata`` of its own."""
    after: tuple[str, ...] = ()
    """Databases that must be done first, within one tenant."""
    version_table: str = Field(default="alembic_version", min_length=1)
    """The name of Alembic's version table."""
    scratch: TemplateText | None = None
    """The URL of a disposable database that ``revision`` may bring to head and compare with.
    Left out: a temporary SQLite file."""


class Rollout(Model):
    """How an environment is upgraded: limits, time-outs, retries."""

    max_parallel: PositiveInt = 16
    """Targets worked on at once."""
    max_per_server: PositiveInt = 8
    """Targets of one server worked on at once."""
    lock_timeout: Duration = seconds("5s")
    """How long to wait for the target's lock and for each lock of its tables."""
    statement_timeout: Duration | None = None
    """How long one statement may run. Left out: no limit."""
    target_timeout: Duration = seconds("1h")
    """How long one attempt at one target may take; its worker is then stopped."""
    retries: NonNegativeInt = 3
    """How many more attempts a target gets when nothing was changed yet: it could not be reached,
    a lock was not had in time, a deadlock."""
    retry_delay: Duration = seconds("1s")
    """The wait before the first retry; it doubles each time, and varies at random by half."""


class DatabaseOverrides(Model):
    """What differs for one database in one environment."""

    url: TemplateText | None = None
    """Its own URL."""
    schema_: TemplateText | None = Field(default=None, alias="schema")
    """Its own schema (PostgreSQL)."""
    max_parallel: PositiveInt | None = None
    """At most so many targets of this database at once."""
    max_per_server: PositiveInt | None = None
    """At most so many targets of this database on one server at once."""
    lock_timeout: Duration | None = None
    """Its own lock time-out."""
    statement_timeout: Duration | None = None
    """Its own statement time-out."""
    target_timeout: Duration | None = None
    """Its own time-out for one attempt."""
    retries: NonNegativeInt | None = None
    """Its own number of retries."""
    retry_delay: Duration | None = None
    """Its own wait before the first retry."""


class Tenant(Model):
    """A tenant and its labels: every key beside ``name`` is a label of its own."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, Scalar]

    name: str = Field(min_length=1)
    """The tenant's name."""


class TenantsFromCsv(Model):
    """Tenants from a CSV file: a header with ``name``, each further column is a label."""

    csv: str = Field(min_length=1)
    """The file's path."""


class TenantsFromQuery(Model):
    """Tenants from a SQL query on a control database."""

    query: str = Field(min_length=1)
    """Returns a column ``name``; each further column is a label."""
    url: TemplateText
    """The control database."""


class TenantsFromCommand(Model):
    """Tenants from a command that prints JSON lines: ``{"name": "acme", "tier": "free"}``."""

    command: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(min_length=1)
    """The program and its arguments. It runs in the folder of ``environments.toml``."""


class TenantsFromDatabases(Model):
    """Tenants discovered from the databases of the environment's server."""

    databases: str = Field(min_length=1)
    """A pattern in which ``%`` stands for anything: ``shop_%``. What the environment's ``url`` has
    in place of ``{tenant}`` is the tenant's name."""
    url: TemplateText | None = None
    """Where to look. Left out: the server of the environment's ``url``."""


class TenantsFromSchemas(Model):
    """Tenants discovered from the schemas of the environment's PostgreSQL database."""

    schemas: str = Field(min_length=1)
    """A pattern in which ``%`` stands for anything: ``tenant_%``. What the environment's ``schema``
    has in place of ``{tenant}`` is the tenant's name."""
    url: TemplateText | None = None
    """Where to look. Left out: the environment's ``url``."""


class TenantsFromFiles(Model):
    """Tenants discovered from SQLite files."""

    files: str = Field(min_length=1)
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
        return "list"
    if isinstance(value, Model):
        return next((kind for kind, model in _SOURCES.items() if isinstance(value, model)), None)
    if isinstance(value, Mapping):
        return next((kind for kind in _SOURCES if kind in value), None)
    return None


def _kind_of_tenant(value: Any) -> str | None:
    if isinstance(value, str):
        return "name"
    return "labels" if isinstance(value, Mapping | Tenant) else None


TenantItem = Annotated[
    Annotated[Annotated[str, StringConstraints(min_length=1)], Tag("name")]
    | Annotated[Tenant, Tag("labels")],
    Discriminator(
        _kind_of_tenant,
        custom_error_type="tenant",
        custom_error_message='a tenant is a name, or a table of labels: { name = "acme", tier = "free" }',
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
    Annotated[tuple[TenantItem, ...], Tag("list")]
    | Annotated[TenantsFromCsv, Tag("csv")]
    | Annotated[TenantsFromQuery, Tag("query")]
    | Annotated[TenantsFromCommand, Tag("command")]
    | Annotated[TenantsFromDatabases, Tag("databases")]
    | Annotated[TenantsFromSchemas, Tag("schemas")]
    | Annotated[TenantsFromFiles, Tag("files")],
    Discriminator(
        _kind_of_tenants,
        custom_error_type="tenants",
        custom_error_message=(
            "tenants are a list, or a table with one of csv, query, command, databases, schemas, files"
        ),
    ),
]


class Environment(Model):
    """Where databases are deployed, and how carefully."""

    url: TemplateText
    """The URL of a target, with placeholders: ``{tenant}``, ``{database}``, ``{environment}``, any
    label of the tenant, and secrets ``${env:NAME}``, ``${file:PATH}``, ``${cmd:COMMAND}``. Without
    a placeholder of the tenant it names one target that all tenants share."""
    schema_: TemplateText | None = Field(default=None, alias="schema")
    """The schema of a target (PostgreSQL), with placeholders. The version table is in it, too."""
    tenants: Tenants = ()
    """The tenants: a list of names or of tables of labels, or where to find them."""
    protected: bool = False
    """Ask before changing anything, or need ``--yes``."""
    databases: Mapping[str, DatabaseOverrides] = {}
    """What differs for single databases."""
    rollout: Rollout = Rollout()
    """Limits, time-outs and retries."""


class Config(Model):
    """The whole of ``environments.toml``."""

    project: ProjectSettings
    """The project."""
    databases: Annotated[Mapping[Name, Database], Field(min_length=1)]
    """The logical databases, by name."""
    environments: Annotated[Mapping[Name, Environment], Field(min_length=1)]
    """The environments, by name."""

    @property
    def order(self) -> tuple[str, ...]:
        """The promotion path."""
        return tuple(self.environments) if self.project.order is None else self.project.order
