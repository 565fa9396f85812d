"""A target that is to be read, before anybody knows where it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.config.models import Config
from orchestrator.dialects import Timeouts
from orchestrator.fleet.location import Location
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.reading import Source
from orchestrator.rollout.limits import limits


@dataclass(frozen=True, slots=True)
class Subject:
    """A target by its names, and where it keeps its heads. Holds no secret."""

    target: str
    environment: str
    database: str
    labels: Mapping[str, str] = field(default_factory=dict)
    table: VersionTable = field(default_factory=VersionTable)

    @classmethod
    def of(cls, target: Target, table: VersionTable) -> "Subject":
        """Return a target with its version table."""
        labels = dict(target.labels)
        return cls(target.name, target.environment, target.database, labels, table)

    def source(self, config: Config, location: Location) -> Source:
        """Return it as what can be read, with the limits of the file."""
        settings = limits(config, self.environment, self.database)
        timeouts = Timeouts(settings.lock_timeout, settings.statement_timeout)
        grants = config.databases[self.database].drift.grants
        return Source(self.target, location, self.table, timeouts, settings.max_per_server, grants)
