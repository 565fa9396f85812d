"""Tenants that nobody keeps a list of: their databases, schemas or files tell of them."""

import glob
import os.path
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.models import Config
from orchestrator.config.problems import Problem, Problems
from orchestrator.config.secrets import Secrets
from orchestrator.config.tenants import TenantsFromDatabases, TenantsFromFiles, TenantsFromSchemas
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.discovery import Outline, Reader, like, marked, outline, reader, tenants_in
from orchestrator.fleet.location import Location
from orchestrator.fleet.placement import placement
from orchestrator.inspection.tenants.asking import rows

_DATABASES = {
    "mysql": "SHOW DATABASES",
    "mariadb": "SHOW DATABASES",
    "postgresql": "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate",
}
_SCHEMAS = {"postgresql": "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'"}
_SYSTEM = frozenset({"information_schema", "performance_schema", "mysql", "sys", "postgres"})

Discovered = TenantsFromDatabases | TenantsFromSchemas | TenantsFromFiles


@dataclass(frozen=True, slots=True)
class Search:
    """Looks for the tenants of one environment."""

    source: Discovered
    environment: str
    config: Config
    folder: Path
    secrets: Secrets

    def tenants(self) -> tuple[str, ...]:
        """Return the tenants of all databases of the environment, sorted, each once.

        Raises ``Problems`` when a name can't be told from what is found.
        """
        try:
            if isinstance(self.source, TenantsFromFiles):
                return self._in_files(self.source)
            return self._on_servers(self.source)
        except ValueError as error:
            key, _ = next(iter(self.source))
            at = ("environments", self.environment, "tenants", key)
            raise Problems([Problem(at, f"tenants can't be discovered: {error}")]) from None

    def _in_files(self, source: TenantsFromFiles) -> tuple[str, ...]:
        pattern = os.path.join(glob.escape(str(self.folder)), source.files)  # noqa: PTH118
        # Both sides are text: symbolic links stay as they are named.
        files = {
            os.path.normpath(path)
            for path in glob.glob(pattern, recursive=True)  # noqa: PTH207
            if os.path.isfile(path)  # noqa: PTH113
        }
        readers = []
        for _, found in self._outlines():
            if found.location.backend != "sqlite":
                raise ValueError("only SQLite keeps its databases in files")
            readers.append(reader(found.location.file, "the path in the url"))
        return tenants_in(files, readers)

    def _on_servers(self, source: TenantsFromDatabases | TenantsFromSchemas) -> tuple[str, ...]:
        pattern = source.databases if isinstance(source, TenantsFromDatabases) else source.schemas
        wanted = like(pattern)
        tenants: set[str] = set()
        for location, readers in self._readers(source):
            names = [name for name in self._names(location, source) if wanted.fullmatch(name)]
            tenants.update(tenants_in(names, readers))
        return tuple(sorted(tenants))

    def _readers(
        self, source: TenantsFromDatabases | TenantsFromSchemas
    ) -> list[tuple[Location, list[Reader]]]:
        """Return where to look, each place once, and how to read what is there."""
        places: list[tuple[Location, list[Reader]]] = []
        for database, found in self._outlines():
            if isinstance(source, TenantsFromDatabases):
                read = reader(found.location.database, "the database in the url")
            else:
                read = reader(found.location.schema, "the schema")
            where = self._where(source, database, found)
            same = next((readers for place, readers in places if place == where), None)
            if same is None:
                places.append((where, [read]))
            else:
                same.append(read)
        return places

    def _where(
        self, source: TenantsFromDatabases | TenantsFromSchemas, database: str, found: Outline
    ) -> Location:
        if source.url is not None:
            template = AddressTemplate.parse(source.url, None, self.folder)
            labels = {"environment": self.environment, "database": database}
            return template.fill(labels).resolve(self.secrets.value)
        location = replace(found.location, schema=None)
        if isinstance(source, TenantsFromDatabases):
            home = "postgres" if location.backend == "postgresql" else None
            location = replace(location, database=home)
        if not found.same_server or marked(location.database or ""):
            raise ValueError("the url is another one for each tenant; say where to look with 'url'")
        return location

    def _names(
        self, location: Location, source: TenantsFromDatabases | TenantsFromSchemas
    ) -> list[str]:
        schemas = isinstance(source, TenantsFromSchemas)
        sql = (_SCHEMAS if schemas else _DATABASES).get(location.backend)
        if sql is None:
            what = "schemas" if schemas else "databases"
            raise ValueError(f"{location.backend} has no {what} that could be listed")
        found = rows(self.environment, location, sql, self.secrets)
        names = [str(next(iter(row.values()))) for row in found]
        return [name for name in names if name not in _SYSTEM]

    def _outlines(self) -> Iterator[tuple[str, Outline]]:
        """Yield each database whose tenants have addresses of their own."""
        for database in self.config.databases:
            where = placement(self.config, self.environment, database)
            if not where.shared:
                template = where.template(self.folder)
                yield database, outline(template, where.own_labels, self.secrets.value)
