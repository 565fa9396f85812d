"""One test, four servers: what a migration tool promises, it promises on each of them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.project_folder import ProjectFolder
from tests.servers import Server, unique


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """An empty project in a temporary folder."""
    return ProjectFolder(tmp_path)


class Fleet:
    """So many databases of one kind, and a project that declares them as tenants."""

    def __init__(self, kind: str, project: ProjectFolder, server: Server | None) -> None:
        self.kind, self.project, self.server = kind, project, server
        self.prefix = unique("fleet")
        self.tenants: tuple[str, ...] = ()
        self.password = server.password if server else ""

    @property
    def ddl_commits(self) -> bool:
        """Each statement of DDL commits by itself."""
        return self.server is not None and self.server.ddl_commits

    @property
    def url(self) -> str:
        """The URL template of the environment. Its password comes from the environment."""
        if self.server is None:
            return "sqlite:///var/{tenant}.db"
        self.project.environ["FLEET_PASSWORD"] = self.password
        head, _, tail = self.server.url("DATABASE").partition(quote(self.password, safe=""))
        return f"{head}${{env:FLEET_PASSWORD}}{tail}".replace("DATABASE", self.prefix + "_{tenant}")

    def declare(self, count: int, **rollout: Any) -> None:
        """Create ``count`` databases and write the project's file."""
        self.tenants = tuple(f"t{n:03}" for n in range(count))
        if self.server is not None:
            self.server.create(*(self.database(tenant) for tenant in self.tenants))
        settings = {"retry_delay": '"100ms"', **rollout}
        lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
        self.project.config(
            f"""
            [project]
            name = "fleet"

            [databases.app]
            script_location = "migrations/app"

            [environments.prod]
            url = '{self.url}'
            tenants = {list(self.tenants)!r}

            [environments.prod.rollout]
            """.replace("\n            ", "\n")
            + lines
            + "\n"
        )
        self.project.scripts()

    def database(self, tenant: str) -> str:
        """The physical name of a tenant's database."""
        return f"{self.prefix}_{tenant}"

    def rows(self, tenant: str, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement on a tenant's database, past the orchestrator."""
        if self.server is not None:
            return self.server.execute(sql, self.database(tenant))
        path = self.project.folder / "var" / f"{tenant}.db"
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute(sql).fetchall()
            connection.commit()
            return found

    def tables(self, tenant: str) -> set[str]:
        """The names of a tenant's tables."""
        match self.kind:
            case "sqlite":
                sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
            case "mariadb" | "mysql":
                sql = "SHOW TABLES"
            case _:
                sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {row[0] for row in self.rows(tenant, sql)}

    def heads(self, tenant: str) -> list[str]:
        """What a tenant's version table says."""
        return [row[0] for row in self.rows(tenant, "SELECT version_num FROM alembic_version")]

    def drop(self) -> None:
        """Drop every database that was declared."""
        if self.server is not None:
            self.server.drop(*(self.database(tenant) for tenant in self.tenants))


@pytest.fixture
def new_fleet(
    project: ProjectFolder, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Fleet]]:
    """Make a fleet of a kind: ``sqlite``, ``mariadb``, ``mysql`` or ``postgres``."""
    with ExitStack() as stack:

        def make(kind: str, server: Server | None = None) -> Fleet:
            if kind != "sqlite" and server is None:
                server = request.getfixturevalue(kind)
            fleet = Fleet(kind, project, server)
            stack.callback(fleet.drop)
            return fleet

        yield make


@pytest.fixture(params=["sqlite", "mariadb", "mysql", "postgres"])
def fleet(request: pytest.FixtureRequest, new_fleet: Callable[[str], Fleet]) -> Fleet:
    """A fleet on each kind of server in turn."""
    return new_fleet(request.param)
