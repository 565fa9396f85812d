"""Where a target is once secrets are known, and when two places are one."""

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

Query = Mapping[str, str | tuple[str, ...]]

_DEFAULT_PORTS = {"mysql": 3306, "mariadb": 3306, "postgresql": 5432}
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})
_TRUE = frozenset({"1", "true", "yes", "y", "on", "t"})
# What can send two equal URLs to different databases or schemas.
_ROUTING = ("dbname", "service", "options", "read_default_file", "read_default_group")


@dataclass(frozen=True, slots=True)
class Location:
    """A database URL in plain components, ready for a driver. ``repr()`` hides the password."""

    driver: str
    username: str | None
    password: str | None = field(repr=False)
    host: str | None
    port: int | None
    database: str | None
    """On SQLite an absolute path, or a ``file:`` URI with one."""
    query: Query = field(repr=False)
    schema: str | None

    @property
    def backend(self) -> str:
        """``mysql``, ``mariadb``, ``postgresql``, ``sqlite``."""
        return backend_of(self.driver)

    @property
    def components(self) -> dict[str, Any]:
        """The keyword arguments of ``sqlalchemy.URL.create``, which quotes nothing."""
        return {
            "drivername": self.driver,
            "username": self.username,
            "password": self.password,
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "query": self.query,
        }

    @property
    def server(self) -> str:
        """What it shares with other locations: ``mysql://db1:3306``, ``sqlite``."""
        return server_of(self.backend, self.host or "", str(self.port or ""), self.query)

    @property
    def file(self) -> str | None:
        """The path of a SQLite file, also where the database is a ``file:`` URI."""
        return None if self.database is None else _sqlite_file(self.database, self.query)

    @property
    def identity(self) -> str:
        """Equal for two locations of one physical database or schema, and only for those."""
        return identity_of(
            self.backend, self.server, self.username, self.database or "", self.schema, self.query
        )


def backend_of(driver: str) -> str:
    """Return ``mysql`` for ``mysql+pymysql``."""
    return driver.partition("+")[0]


def server_of(backend: str, host: str, port: str, query: Query) -> str:
    """Name a server: default ports filled in, every spelling of this machine as ``localhost``."""
    if backend == "sqlite":
        return backend
    host = _text(query.get("unix_socket")) or _text(query.get("host")) or host
    port = _text(query.get("port")) or port or str(_DEFAULT_PORTS.get(backend, ""))
    if host.startswith("/"):
        return f"{backend}://{host}" + (f":{port}" if backend == "postgresql" else "")
    if "${" not in host:  # the name of a secret, in which case matters, and which has a colon
        host = host.lower()
        host = "localhost" if host in _LOCAL else f"[{host}]" if ":" in host else host
    return f"{backend}://{host}:{port}" if port else f"{backend}://{host}"


def identity_of(
    backend: str, server: str, username: str | None, database: str, schema: str | None, query: Query
) -> str:
    """Name a physical database or schema; see ``Location.identity``."""
    if backend == "sqlite":
        return f"sqlite:{_sqlite_file(database, query)}"
    # MariaDB answers to both names, and one server must not count as two.
    server = server.replace("mariadb://", "mysql://", 1)
    routing = "".join(f"?{key}={_text(query[key])}" for key in _ROUTING if key in query)
    if backend != "postgresql":
        return f"{server}/{database}{routing}"
    # A '#' in a name must not look like the start of a schema.
    database = (database or username or "").replace("%", "%25").replace("#", "%23")
    return f"{server}/{database}#{schema or 'public'}{routing}"


def is_uri(database: str, query: Query) -> bool:
    """Whether SQLite reads the database's name as a ``file:`` URI."""
    return database.startswith("file:") and _text(query.get("uri")).lower() in _TRUE


def in_memory(database: str, query: Query) -> bool:
    """Whether it is a SQLite database that is gone when its connection is closed."""
    return (
        database in ("", ":memory:")
        or (is_uri(database, query) and database.startswith("file::memory:"))
        or query.get("mode") == "memory"
    )


def rooted(database: str, query: Query, folder: str) -> str:
    """Make the path of a SQLite database absolute: a relative one is relative to ``folder``."""
    if in_memory(database, query):
        return database
    if not is_uri(database, query):
        return os.path.normpath(os.path.join(folder, database))  # noqa: PTH118 - pure text
    path = database.removeprefix("file:")
    return database if path.startswith("/") else f"file:{quote(folder)}/{path}"


def _sqlite_file(database: str, query: Query) -> str:
    if is_uri(database, query):
        path = database.removeprefix("file:").partition("?")[0].partition("#")[0]
        if path.startswith("//"):
            path = "/" + path[2:].partition("/")[2]
        database = unquote(path)
    return os.path.normpath(database) if database else database


def _text(value: str | tuple[str, ...] | None) -> str:
    return value or "" if isinstance(value, str | None) else ",".join(value)
