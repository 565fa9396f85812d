"""Which address a logical database has in an environment, and where in the file that is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as Folder

from orchestrator.config.models import Config, DatabaseOverrides
from orchestrator.config.problems import Path, Problem, Problems
from orchestrator.config.template import parse
from orchestrator.fleet.address import OWN_LABELS, AddressTemplate

_NO_OVERRIDES = DatabaseOverrides()


@dataclass(frozen=True, slots=True)
class Placement:
    """A logical database in one environment."""

    environment: str
    database: str
    url: str
    schema: str
    url_at: Path
    schema_at: Path

    @property
    def shared(self) -> bool:
        """Whether it is one target for all tenants."""
        return (parse(self.url).labels | parse(self.schema).labels) <= OWN_LABELS

    @property
    def own_labels(self) -> Mapping[str, str]:
        """The labels that it fills without any tenant."""
        return {"environment": self.environment, "database": self.database}

    def template(self, folder: Folder) -> AddressTemplate:
        """Return its address. Raises ``Problems`` for what is no database URL."""
        try:
            return AddressTemplate.parse(self.url, self.schema, folder)
        except ValueError as error:
            raise Problems([Problem(self.url_at, str(error))]) from None


def placement(config: Config, environment: str, database: str) -> Placement:
    """Return where a database is in an environment: its overrides first, then the environment.

    An override of ``schema = ""`` means none.
    """
    settings = config.environments[environment]
    own = settings.databases.get(database, _NO_OVERRIDES)
    top: Path = ("environments", environment)
    deep: Path = (*top, "databases", database)
    schema = settings.schema_ if own.schema_ is None else own.schema_
    return Placement(
        environment,
        database,
        url=settings.url if own.url is None else own.url,
        schema=schema or "",
        url_at=(*(top if own.url is None else deep), "url"),
        schema_at=(*(top if own.schema_ is None else deep), "schema"),
    )
