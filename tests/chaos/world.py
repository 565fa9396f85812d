"""Servers to be killed, and a project with targets on all of them and a ledger."""

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from orchestrator.fleet.address import AddressTemplate
from orchestrator.ledger.ledger import Ledger
from tests.chaos.machines import PATIENCE, PLACES, SCHEDULER, Machines, port_variable
from tests.chaos.revisions import (
    KINDS,
    MARIADB,
    MYSQL,
    POSTGRES,
    SCHEMAS,
    SQLITE,
    Revision,
    history,
)
from tests.chaos.snapshots import SCHEMA_OF
from tests.engines.cluster import Certificates, Cluster, new_cluster
from tests.project_folder import ProjectFolder
from tests.servers import (
    MariaDBServer,
    MySQLServer,
    PostgresServer,
    Server,
    free_port,
    unique,
)
from tests.shared_servers import AnyServer

PASSWORD = "CHAOS_PASSWORD"
LEDGERS = ("sqlite", "postgres", "mariadb", "mysql")
_MANY, _FEW = 6, 2
"""How many targets may be worked on at a time."""
_SMALL = {
    "mariadb": ("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"),
    "mysql": ("--innodb-buffer-pool-size=32M", "--innodb-redo-log-capacity=16M"),
    "postgres": ("--shared_buffers=32MB",),
}
_MAKE: dict[str, type[AnyServer]] = {
    "mariadb": MariaDBServer,
    "mysql": MySQLServer,
    "postgres": PostgresServer,
}


@dataclass(slots=True)
class Servers:
    """Private servers: two of targets, two of ledgers, each started when it is first needed.

    So is a scheduler.
    """

    _stack: ExitStack = field(default_factory=ExitStack)
    _started: dict[str, AnyServer] = field(default_factory=dict)
    _cluster: Cluster | None = None

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, role: str, kind: str) -> AnyServer:
        """Return the server of ``targets`` or ``ledger``, of a kind: ``mysql``, say."""
        key = f"{role} {kind}"
        if key not in self._started:
            server = _MAKE[kind](*_SMALL[kind])
            self._stack.callback(server.close)
            self._started[key] = server.start()
        return self._started[key]

    @property
    def cluster(self) -> Cluster:
        """A cluster without workers."""
        if self._cluster is None:
            folder = Path(self._stack.enter_context(TemporaryDirectory()))
            self._cluster = self._stack.enter_context(new_cluster(folder, free_port()))
        return self._cluster


@dataclass(slots=True)
class World:
    """One project: tenants of five kinds, whose ledger is of one kind."""

    servers: Servers
    folder: Path
    ledger_kind: str
    tenants: tuple[str, ...]
    replays: bool = False
    """Its revisions may be replayed, by few workers, each with many targets."""
    on_cluster: bool = False
    machines: Machines | None = None
    """Where jobs run, if not on this machine; there are some once it is made."""
    prefix: str = field(default_factory=lambda: unique("chaos"))
    project: ProjectFolder = field(init=False)

    def __post_init__(self) -> None:
        self.project = ProjectFolder(self.folder)

    @property
    def maria(self) -> AnyServer:
        return self.servers.of("targets", "mariadb")

    @property
    def mysql(self) -> AnyServer:
        return self.servers.of("targets", "mysql")

    @property
    def postgres(self) -> AnyServer:
        return self.servers.of("targets", "postgres")

    @property
    def ledger_server(self) -> AnyServer | None:
        """The ledger's own server, ``None`` for a SQLite file."""
        if self.ledger_kind == "sqlite":
            return None
        return self.servers.of("ledger", self.ledger_kind)

    @property
    def targets(self) -> list[str]:
        return [f"prod/{kind}/{tenant}" for tenant in self.tenants for kind in KINDS]

    def make(self, *, budget: str, retries: int) -> None:
        """Create the databases and write the project."""
        self.maria.create(*(self._name(tenant) for tenant in self.tenants))
        self.mysql.create(*(self._name(tenant) for tenant in self.tenants))
        self.postgres.create(*(self._name(tenant) for tenant in self.tenants), self._name("all"))
        schemas = [f"CREATE SCHEMA {tenant}" for tenant in self.tenants]
        self.postgres.execute_all(schemas, self._name("all"))
        if self.ledger_server is not None:
            self.ledger_server.create(self._name("ledger"))
        (self.folder / "var").mkdir()
        self.project.config(self._config(budget, retries))
        self.project.environ[PASSWORD] = self.maria.password
        self.project.environ["PYTHONFAULTHANDLER"] = "1"
        for kind in KINDS:
            self.project.scripts(kind)
            for revision in self.history(kind):
                self.project.revision(revision.id, revision.down, revision.code, database=kind)
        if self.on_cluster:
            ports = {kind: server.port for kind, server in self._target_servers.items()}
            slots = 1 if self.replays else 2
            self.machines = Machines(self.servers.cluster, self.project, slots, ports)
            self.machines.start()

    @property
    def _target_servers(self) -> Mapping[str, AnyServer]:
        return {MARIADB: self.maria, MYSQL: self.mysql, POSTGRES: self.postgres}

    def history(self, kind: str) -> tuple[Revision, ...]:
        """Return the revisions of a kind of target."""
        return history(kind, pure=self.replays)

    def drop(self) -> None:
        """Drop the databases again, once nothing runs any more."""
        if self.machines is not None:
            self.machines.close()
        names = [self._name(tenant) for tenant in self.tenants]
        self.maria.drop(*names)
        self.mysql.drop(*names)
        self.postgres.drop(*names, self._name("all"))
        if self.ledger_server is not None:
            self.ledger_server.drop(self._name("ledger"))

    def execute(self, target: str, sql: str) -> Sequence[Sequence[Any]]:
        """Run one statement on a target, past the orchestrator."""
        _, kind, tenant = target.split("/")
        if kind == SQLITE:
            with closing(sqlite3.connect(self.folder / "var" / f"{tenant}.db")) as connection:
                rows = connection.execute(sql).fetchall()
                connection.commit()
                return rows
        if kind == SCHEMAS:
            first = f"SET search_path TO {tenant}"
            return self.postgres.execute_all([first, sql], self._name("all"))
        return self._target_servers[kind].execute(sql, self._name(tenant))

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger, as the orchestrator does."""
        with self._environment():
            template = AddressTemplate.parse(self._ledger_url, None, self.folder)
            location = template.fill({}).resolve(lambda _: self.maria.password)
        with Ledger.open(location) as ledger:
            yield ledger

    @property
    def has_ledger(self) -> bool:
        """Whether there may be a run in it."""
        return self.ledger_kind != "sqlite" or self.ledger_file.exists()

    @property
    def ledger_file(self) -> Path:
        return self.folder / ".orchestrator" / "ledger.db"

    def ledger_rows(self, sql: str) -> Sequence[Sequence[Any]]:
        """Run one statement on the ledger, past everything."""
        if self.ledger_server is not None:
            return self.ledger_server.execute(sql, self._name("ledger"))
        with closing(sqlite3.connect(self.ledger_file)) as connection:
            rows = connection.execute(sql).fetchall()
            connection.commit()
            return rows

    def settle(self) -> None:
        """Wait until everything is there again."""
        self.restart_servers()
        if self.machines is not None:
            self.machines.settle()

    def restart_servers(self) -> None:
        """Start every server again that was killed."""
        for server in [*self._target_servers.values(), self.ledger_server]:
            if server is not None and not _runs(server):
                server.restart()

    def said(self) -> Sequence[str]:
        """What workers elsewhere have said."""
        return () if self.machines is None else self.machines.said()

    def snapshot(self, target: str) -> Any:
        """Everything in a target: its schema, its rows, its version."""
        kind = target.split("/")[1]
        rows = [sorted(map(tuple, self.execute(target, sql))) for sql in SCHEMA_OF[kind]]
        tables = ("counter", "marks", "items", "last", "alembic_version")
        return rows, {t: sorted(self.execute(target, f"SELECT * FROM {t}")) for t in tables}

    def sessions(self) -> list[Any]:
        """Sessions on the databases of targets that are not ours: they may hold a lock."""
        found: list[Any] = [
            *(
                row
                for server in (self.maria, self.mysql)
                for row in server.execute(
                    "SELECT id, db, command FROM information_schema.processlist "
                    f"WHERE db LIKE '{self.prefix}%' AND id <> CONNECTION_ID()"
                )
            ),
            *self.postgres.execute(
                "SELECT pid, datname, application_name FROM pg_stat_activity "
                f"WHERE datname LIKE '{self.prefix}%' AND pid <> pg_backend_pid()"
            ),
        ]
        return found

    def _name(self, tenant: str) -> str:
        return f"{self.prefix}_{tenant}"

    @property
    def _ledger_url(self) -> str:
        if self.ledger_server is None:
            return "sqlite:///.orchestrator/ledger.db"
        return _secret_url(self.ledger_server, self._name("ledger"))

    def _target_url(self, kind: str, tenant: str) -> str:
        server = self._target_servers[kind]
        url = _secret_url(server, self._name(tenant))
        if not self.on_cluster:
            return url
        return url.replace(f":{server.port}/", f":${{env:{port_variable(kind)}}}/")

    def _config(self, budget: str, retries: int) -> str:
        first, *_ = self.tenants
        tenants = ", ".join(
            f'{{ name = "{t}", tier = "{"internal" if t == first else "free"}", '
            f'region = "{place}" }}'
            for t, place in zip(self.tenants, cycle(PLACES), strict=False)
        )
        databases = "\n".join(
            f'[databases.{kind}]\nscript_location = "migrations/{kind}"' for kind in KINDS
        )
        maria = self._target_url(MARIADB, "{tenant}")
        mysql = self._target_url(MYSQL, "{tenant}")
        own = self._target_url(POSTGRES, "{tenant}")
        shared = self._target_url(POSTGRES, "all")
        return f"""
[project]
name = "chaos"
ledger = '{self._ledger_url}'

{_engine(self.servers.cluster.certificates) if self.on_cluster else ""}

{databases}

[environments.prod]
url = "sqlite:///var/{{tenant}}.db"
tenants = [{tenants}]
{'place = "{region}"' if self.on_cluster else ""}

[environments.prod.databases]
{MARIADB} = {{ url = '{maria}' }}
{MYSQL} = {{ url = '{mysql}' }}
{POSTGRES} = {{ url = '{own}' }}
{SCHEMAS} = {{ url = '{shared}', schema = "{{tenant}}" }}

[environments.prod.rollout]
max_parallel = {_FEW if self.replays else _MANY}
lock_timeout = "2s"
target_timeout = "30s"
retries = {retries}
retry_delay = "200ms"

[[environments.prod.rollout.waves]]
name = "canary"
where = {{ tier = "internal" }}
max_failures = {budget}

[[environments.prod.rollout.waves]]
name = "everyone"
max_failures = {budget}
"""

    @contextmanager
    def _environment(self) -> Iterator[None]:
        before = os.environ.get(PASSWORD)
        os.environ[PASSWORD] = self.maria.password
        try:
            yield
        finally:
            os.environ.pop(PASSWORD)
            if before is not None:
                os.environ[PASSWORD] = before


def _secret_url(server: Server, database: str) -> str:
    head, _, tail = server.url("DATABASE").partition(quote(server.password, safe=""))
    return f"{head}${{env:{PASSWORD}}}{tail}".replace("DATABASE", database)


def _engine(files: Certificates) -> str:
    return f"""
[engine]
kind = "dask"
scheduler = "${{env:{SCHEDULER}}}"
security = {{ ca = "{files.ca}", cert = "{files.cert}", key = "${{file:{files.key}}}" }}
patience = "{PATIENCE}s"
"""


def _runs(server: AnyServer) -> bool:
    with suppress(Exception):
        server.probe()
        return True
    return False


@contextmanager
def away(path: Path, seconds: float) -> Iterator[None]:
    """Let a folder be away for a while."""
    other = path.with_name(path.name + ".away")
    path.rename(other)
    try:
        time.sleep(seconds)
        yield
    finally:
        other.rename(path)
