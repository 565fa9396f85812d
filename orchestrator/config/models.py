"""The models of ``environments.toml``: frozen, closed, and the source of its JSON Schema."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from orchestrator.config.base import (
    Argument,
    Count,
    Flag,
    Limit,
    Model,
    Name,
    Reference,
    Scalar,
    TemplateText,
    Text,
)
from orchestrator.config.engine import Engine
from orchestrator.config.rollouts import (
    Gate,
    GateCommand,
    GateQuery,
    Requires,
    Rollout,
    Wave,
    Window,
)
from orchestrator.config.tenants import (
    TENANT_SOURCES,
    Tenant,
    TenantItem,
    Tenants,
    TenantsFromCommand,
    TenantsFromCsv,
    TenantsFromDatabases,
    TenantsFromFiles,
    TenantsFromQuery,
    TenantsFromSchemas,
    TenantSource,
)
from orchestrator.config.units import Duration, Timeout

__all__ = [
    "TENANT_SOURCES",
    "Config",
    "Database",
    "DatabaseOverrides",
    "Drift",
    "Environment",
    "Gate",
    "GateCommand",
    "GateQuery",
    "Model",
    "Name",
    "ProjectSettings",
    "Requires",
    "Rollout",
    "Scalar",
    "ScratchUrls",
    "TemplateText",
    "Tenant",
    "TenantItem",
    "TenantSource",
    "Tenants",
    "TenantsFromCommand",
    "TenantsFromCsv",
    "TenantsFromDatabases",
    "TenantsFromFiles",
    "TenantsFromQuery",
    "TenantsFromSchemas",
    "Wave",
    "Window",
]

_URL = "postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/{tenant}"


class ScratchUrls(Model):
    """Databases to throw away, by the kind of the targets; ``revision`` compares with one."""

    postgresql: TemplateText | None = Field(
        default=None, examples=["postgresql+psycopg://localhost/scratch_{database}"]
    )
    """For databases on PostgreSQL. May hold ``{database}``."""
    mysql: TemplateText | None = None
    """For databases on MySQL; on MariaDB too, where ``mariadb`` is left out."""
    mariadb: TemplateText | None = None
    """For databases on MariaDB; on MySQL too, where ``mysql`` is left out."""
    sqlite: TemplateText | None = None
    """For databases on SQLite. Left out: a temporary file."""

    def of(self, backend: str | None) -> str | None:
        """Return the URL for a kind of server, if there is one."""
        if backend in {"mysql", "mariadb"}:
            return self.mysql or self.mariadb if backend == "mysql" else self.mariadb or self.mysql
        return getattr(self, backend) if backend in {"postgresql", "sqlite"} else None


class ProjectSettings(Model):
    """What the project is called, and its promotion path."""

    name: Text = Field(examples=["shop"])
    """The project's name, shown in reports."""
    order: tuple[str, ...] | None = Field(default=None, examples=[["dev", "staging", "prod"]])
    """The promotion path: environments in the order in which they are upgraded. Left out: the
    order of the file. An environment that is not listed is upgraded only when it is selected."""
    ledger: TemplateText = "sqlite:///.orchestrator/ledger.db"
    """The database of runs: any SQLAlchemy URL."""
    scratch: ScratchUrls = ScratchUrls()
    """Databases to throw away, for ``revision``, by the kind of the targets."""


class Drift(Model):
    """What else counts as a difference between the schemas of two targets."""

    grants: Flag = False
    """Owners and rights."""


class Database(Model):
    """A logical database: one model and one Alembic migration history."""

    script_location: Text | None = Field(default=None, examples=["migrations/orders"])
    """The folder of ``env.py`` and ``versions/``, as in Alembic. Left out: what ``config_file``
    says."""
    config_file: Text | None = Field(default=None, examples=["alembic.ini"])
    """Alembic's own configuration, an ``alembic.ini`` or a ``pyproject.toml``. All that it says
    keeps its meaning, but for the URL."""
    version_locations: tuple[Text, ...] = Field(
        default=(), examples=[["migrations/orders/versions", "plugins:versions"]]
    )
    """The folders of revisions, as in Alembic, in place of those that ``config_file`` says. Left
    out: ``versions`` of the script location."""
    recursive_version_locations: Flag | None = None
    """Whether their sub-folders are read, too, as in Alembic."""
    ini_section: Text | None = Field(default=None, examples=["orders"])
    """The section of the ini file, as ``alembic -n``; or one of those that its ``databases``
    lists, as in Alembic's multidb template. Left out: ``alembic``."""
    metadata: Reference | None = Field(default=None, examples=["migrations.orders.models:Base"])
    """Where the model's ``MetaData``, or its declarative base, is: ``package.module:name``. Used
    where ``env.py`` passes no ``target_metadata`` of its own."""
    revision: Text | None = Field(default=None, examples=["main@head"])
    """Where its targets are to be, as of ``alembic upgrade``: a branch's head, or a revision. It is
    what ``heads`` means. Left out: all heads."""
    after: tuple[str, ...] = Field(default=(), examples=[["catalog"]])
    """Databases that must be done first, within one tenant."""
    replay: Flag = True
    """Send what a revision sent to two targets alike to the next ones as it is, where its text and
    watching it prove that it is the same for all of them."""
    version_table: Text | None = None
    """The name of Alembic's version table. Left out: what ``env.py`` passes to
    ``context.configure``, else ``alembic_version``."""
    version_table_schema: Text | None = None
    """The schema of the version table. Left out: what ``env.py`` passes, else the target's own."""
    configure: Reference | None = Field(default=None, examples=["shop.migrating:configure"])
    """A function that gets Alembic's ``Config`` before anything else of the project is imported or
    read: ``package.module:name``. It may be a generator, or return a context manager, to be left
    when ``env.py`` is done."""
    python_path: tuple[Text, ...] = Field(default=(), examples=[["src"]])
    """Folders to import from, before all others."""
    drift: Drift = Drift()
    """What else counts as a difference between targets."""
    scratch: TemplateText | None = None
    """The URL of a disposable database that ``revision`` may bring to head and compare with.
    Left out: a temporary SQLite file."""


class DatabaseOverrides(Model):
    """What differs for one database in one environment."""

    url: TemplateText | None = Field(default=None, examples=[_URL])
    """Its own URL."""
    schema_: TemplateText | None = Field(default=None, alias="schema", examples=["{tenant}"])
    """Its own schema (PostgreSQL)."""
    x: Mapping[str, Argument] = Field(default={}, examples=[{"tenant": "{tenant}"}])
    """Its own arguments of ``alembic -x``, besides those of the environment."""
    max_parallel: Limit | None = None
    """At most so many targets of this database at once."""
    max_per_server: Limit | None = None
    """At most so many targets of this database on one server at once."""
    lock_timeout: Timeout | None = None
    """Its own lock time-out."""
    wait_for_lock: Duration | None = None
    """Its own wait for whoever is at work on a target."""
    statement_timeout: Timeout | None = None
    """Its own statement time-out."""
    target_timeout: Timeout | None = None
    """Its own time-out for one attempt."""
    retries: Count | None = None
    """Its own number of retries."""
    retry_delay: Duration | None = None
    """Its own wait before the first retry."""
    create: Flag | None = None
    """Make a target's database, or its schema, where ``upgrade`` finds none."""
    create_owner: Text | None = Field(default=None, examples=["app"])
    """PostgreSQL: who is to own what is made. Left out: the user of the url."""
    create_charset: Text | None = Field(default=None, examples=["utf8mb4"])
    """The character set of a database that is made, on PostgreSQL its encoding."""
    create_collation: Text | None = Field(default=None, examples=["utf8mb4_0900_ai_ci"])
    """The collation of a database that is made."""


class Environment(Model):
    """Where databases are deployed, and how carefully."""

    url: TemplateText = Field(examples=[_URL])
    """The URL of a target, with placeholders: ``{tenant}``, ``{database}``, ``{environment}``, any
    label of the tenant, and secrets ``${env:NAME}``, ``${file:PATH}``, ``${cmd:COMMAND}``. Without
    a placeholder of the tenant it names one target that all tenants share."""
    schema_: TemplateText | None = Field(default=None, alias="schema", examples=["{tenant}"])
    """The schema of a target (PostgreSQL), with placeholders. The version table is in it, too."""
    tenants: Tenants = Field(default=(), examples=[["acme", "birch"]])
    """The tenants: a list of names or of tables of labels, or where to find them."""
    x: Mapping[str, Argument] = Field(default={}, examples=[{"tenant": "{tenant}"}])
    """Arguments as of ``alembic -x KEY=VALUE``, for ``context.get_x_argument()``; with placeholders
    and secrets. ``true`` gives the key alone."""
    place: TemplateText | None = Field(default=None, examples=["{region}"])
    """Which workers of a cluster its targets' jobs run on: those that offer this place. With
    placeholders. Left out: any."""
    protected: Flag = False
    """Ask before changing anything, or need ``--yes``."""
    create: Flag = False
    """Make a target's database, or its schema, where ``upgrade`` finds none."""
    create_owner: Text | None = Field(default=None, examples=["app"])
    """PostgreSQL: who is to own what is made. Left out: the user of the url."""
    create_charset: Text | None = Field(default=None, examples=["utf8mb4"])
    """The character set of a database that is made, on PostgreSQL its encoding."""
    create_collation: Text | None = Field(default=None, examples=["utf8mb4_0900_ai_ci"])
    """The collation of a database that is made."""
    requires: Requires | None = None
    """What another environment must have first, and for how long."""
    databases: Mapping[str, DatabaseOverrides] = {}
    """What differs for single databases."""
    rollout: Rollout = Rollout()
    """Limits, time-outs, retries, waves, gates and the window."""


class Config(Model):
    """The whole of ``environments.toml``."""

    project: ProjectSettings
    """The project."""
    databases: Annotated[Mapping[Name, Database], Field(min_length=1)]
    """The logical databases, by name."""
    environments: Annotated[Mapping[Name, Environment], Field(min_length=1)]
    """The environments, by name."""
    engine: Engine = Engine()
    """Where jobs run: in processes of this machine, or on a Dask cluster."""

    @property
    def order(self) -> tuple[str, ...]:
        """The promotion path."""
        return tuple(self.environments) if self.project.order is None else self.project.order
