"""Where tenants live: each in a database, in a schema of one database, or in a file."""

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from benchmarks.subject import Subject, write
from tests.servers import MariaDB, Postgres, Server


@dataclass(frozen=True)
class Databases:
    """A database of one server for each tenant."""

    name: str
    server: Server

    def through(self, port: int) -> Self:
        """Return the same place, reached through another port."""
        server, kind = self.server, Postgres if isinstance(self.server, Postgres) else MariaDB
        return replace(self, server=kind(server.host, port, server.user, server.password))

    def clear(self, count: int) -> None:
        """Make so many tenants, all empty."""
        names = tenants(count)
        self.server.drop(*names)
        self.server.create(*names)

    def write(self, folder: Path, count: int, options: argparse.Namespace) -> Subject:
        """Write the project of so many tenants."""
        names = tenants(count)
        template = self.server.url("TENANT").replace("TENANT", "{tenant}")
        urls = tuple(self.server.url(name) for name in names)
        return write(folder, template, urls, names, options)


class Schemas(Databases):
    """A schema of one PostgreSQL database for each tenant."""

    database = "shop"

    def clear(self, count: int) -> None:
        self.server.drop(self.database)
        self.server.create(self.database)
        statements = [f"CREATE SCHEMA {name}" for name in tenants(count)]
        self.server.execute_all(statements, self.database)

    def write(self, folder: Path, count: int, options: argparse.Namespace) -> Subject:
        names, url = tenants(count), self.server.url(self.database)
        urls = tuple(f"{url}?options=-csearch_path%3D{name}" for name in names)
        return write(folder, url, urls, names, options, schema="{tenant}")


@dataclass(frozen=True)
class Files:
    """A SQLite file for each tenant."""

    name: str
    files: Path

    def clear(self, count: int) -> None:  # noqa: ARG002 - a file is made when it is first opened
        """Remove all files."""
        shutil.rmtree(self.files, ignore_errors=True)
        self.files.mkdir(parents=True)

    def write(self, folder: Path, count: int, options: argparse.Namespace) -> Subject:
        """Write the project of so many tenants."""
        names, template = tenants(count), f"sqlite:///{self.files}/{{tenant}}.db"
        urls = tuple(template.format(tenant=name) for name in names)
        return write(folder, template, urls, names, options)


Place = Databases | Files


def tenants(count: int) -> list[str]:
    """Return the names of so many tenants: those of fewer are the first of them."""
    return [f"t{number:05}" for number in range(count)]
