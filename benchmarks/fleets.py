"""Many databases, schemas or files that are what the one revision of a project makes."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import pymysql
from pymysql.constants import CLIENT

from benchmarks import contenders, modelled
from benchmarks.subject import Subject
from benchmarks.tables import preparing
from tests.servers import MariaDBServer, MySQLServer, PostgresServer

DRIFT = (
    ("CREATE INDEX ix_tmp ON accounts (amount)",),
    ("ALTER TABLE users DROP COLUMN name", "ALTER TABLE users ADD COLUMN name VARCHAR(80)"),
    ("ALTER TABLE addresses DROP COLUMN updated",),
)
"""An extra index, a changed type, a missing column."""

_CONNECTIONS = 2
_CHUNK = 20

Run = Callable[[str, Sequence[str]], None]


@dataclass(frozen=True)
class Fleet:
    """A project, the tenants that it may list, and those that drifted."""

    subject: Subject
    tenants: tuple[str, ...]
    schema: str = ""
    drifted: frozenset[str] = frozenset()

    def list_first(self, count: int, parallel: int) -> None:
        """Let ``environments.toml`` list so many tenants."""
        modelled.list_tenants(self.subject, self.tenants[:count], parallel, self.schema)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each tenant, as Alembic takes it."""
        return dict(zip(self.tenants, self.subject.urls, strict=True))

    def sample(self, size: int, drifted: int) -> tuple[str, ...]:
        """Return ``size`` tenants from all over the fleet, so many of them drifted."""
        plain = [tenant for tenant in self.tenants if tenant not in self.drifted]
        wanted = min(size, len(self.tenants)) - min(drifted, len(self.drifted))
        every = max(1, len(plain) // max(1, wanted))
        return tuple(sorted((*plain[::every][:wanted], *sorted(self.drifted)[:drifted])))


def mariadb(
    folder: Path, count: int, tables: int, *, drift: bool = False
) -> AbstractContextManager[Fleet]:
    """Databases of a private MariaDB server, tuned as in the tests: fast is harder for us."""
    return _databases(MariaDBServer(), "MariaDB", folder, count, tables, drift=drift)


def mysql(
    folder: Path, count: int, tables: int, *, drift: bool = False
) -> AbstractContextManager[Fleet]:
    """Databases of a private MySQL server."""
    return _databases(MySQLServer(), "MySQL", folder, count, tables, drift=drift)


@contextmanager
def _databases(
    server: MariaDBServer | MySQLServer,
    product: str,
    folder: Path,
    count: int,
    tables: int,
    *,
    drift: bool,
) -> Iterator[Fleet]:
    try:
        server.start()
        tenants = _names(count)
        template = server.url("TENANT").replace("TENANT", "{tenant}")
        urls = [server.url(tenant) for tenant in tenants]
        subject = modelled.write(folder, template, urls, tables)
        with preparing(f"{count} {product} databases"):
            server.create(tenants[0])
            statements = _as_shown(server, tenants[0], contenders.recorded_sql(subject))
            work = partial(_mariadb_databases, server.port, server.password, statements)
            _in_parallel(work, tenants[1:])

        def run(tenant: str, sql: Sequence[str]) -> None:
            server.execute_all(sql, tenant)

        yield _drifted(Fleet(subject, tenants), run, drift=drift)
    finally:
        server.close()


@contextmanager
def postgresql(folder: Path, count: int, tables: int, *, drift: bool = False) -> Iterator[Fleet]:
    """Schemas of one database of a private PostgreSQL server."""
    server = PostgresServer()
    try:
        server.start()
        server.create("shop")
        tenants, template = _names(count), server.url("shop")
        urls = [f"{template}?options=-csearch_path%3D{tenant}" for tenant in tenants]
        subject = modelled.write(folder, template, urls, tables)
        with preparing(f"{count} PostgreSQL schemas"):
            statements = contenders.recorded_sql(subject)
            dsn = template.replace("+psycopg", "")
            _in_parallel(partial(_postgresql_schemas, dsn, statements), tenants)

        def run(tenant: str, sql: Sequence[str]) -> None:
            server.execute_all([f"SET search_path = {tenant}", *sql], "shop")

        yield _drifted(Fleet(subject, tenants, "{tenant}"), run, drift=drift)
    finally:
        server.close()


@contextmanager
def sqlite(folder: Path, count: int, tables: int, *, drift: bool = False) -> Iterator[Fleet]:
    """SQLite files, copies of one that Alembic made."""
    tenants = _names(count)
    path = folder / "var"
    urls = [f"sqlite:///{path}/{tenant}.db" for tenant in tenants]
    subject = modelled.write(folder, "sqlite:///var/{tenant}.db", urls, tables)
    path.mkdir()
    with preparing(f"{count} SQLite files"):
        contenders.shell_loop(subject, subject.urls[:1])
        for tenant in tenants[1:]:
            shutil.copyfile(path / f"{tenants[0]}.db", path / f"{tenant}.db")

    def run(tenant: str, sql: Sequence[str]) -> None:
        import sqlite3

        with closing(sqlite3.connect(path / f"{tenant}.db")) as connection:
            connection.executescript(";".join(sql))

    yield _drifted(Fleet(subject, tenants), run, drift=drift)
    shutil.rmtree(folder)


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"t{number:05}" for number in range(count))


def _drifted(fleet: Fleet, run: Run, *, drift: bool) -> Fleet:
    """Let three tenants, far from each other, be unlike the rest."""
    if not drift:
        return fleet
    count = len(fleet.tenants)
    chosen = [fleet.tenants[count * number // 4] for number in (1, 2, 3)]
    for tenant, statements in zip(chosen, DRIFT, strict=True):
        run(tenant, statements)
    return Fleet(fleet.subject, fleet.tenants, fleet.schema, frozenset(chosen))


def _in_parallel(work: Callable[[Sequence[str]], None], tenants: Sequence[str]) -> None:
    chunks = [tenants[at : at + _CHUNK] for at in range(0, len(tenants), _CHUNK)]
    with get_context("fork").Pool(_CONNECTIONS) as pool:
        pool.map(work, chunks, chunksize=1)


def _as_shown(
    server: MariaDBServer | MySQLServer, first: str, recorded: Sequence[str]
) -> list[str]:
    """Migrate the first database by what Alembic would run, and tell how to make its like.

    What the server itself shows of a table makes the same table again, with its indexes, at once.
    """
    server.execute_all(recorded, first)
    tables = [name for (name,) in server.execute("SHOW TABLES", first)]
    shown = [server.execute(f"SHOW CREATE TABLE {name}", first)[0][1] for name in tables]
    inserts = [sql for sql in recorded if sql.startswith("INSERT")]
    return ["SET foreign_key_checks = 0", *shown, *inserts]


def _mariadb_databases(
    port: int, password: str, statements: Sequence[str], tenants: Sequence[str]
) -> None:
    connection = pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="root",
        password=password,
        autocommit=True,
        client_flag=CLIENT.MULTI_STATEMENTS,
    )
    with closing(connection), connection.cursor() as cursor:
        for tenant in tenants:
            _run_all(cursor, [f"CREATE DATABASE {tenant}", f"USE {tenant}", *statements])


def _run_all(cursor: Any, statements: Sequence[str]) -> None:
    cursor.execute(";".join(statements))
    while cursor.nextset():
        pass


def _postgresql_schemas(dsn: str, statements: Sequence[str], tenants: Sequence[str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for tenant in tenants:
            begin = [f"CREATE SCHEMA {tenant}", f"SET search_path = {tenant}"]
            connection.execute(";".join([*begin, *statements]).encode())
