"""The revisions of each database, as workers find them in its scripts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.dispatch.workers import Workers
from orchestrator.rollout.outcomes import Failure
from orchestrator.rollout.revisions import Revisions
from orchestrator.worker.jobs import Verb


@dataclass(slots=True)
class Histories:
    """What workers tell of databases' scripts, one job for each database."""

    workers: Workers
    unloaded: set[str] = field(default_factory=set)
    """Databases whose scripts could only be read, not loaded."""
    _found: dict[str, Revisions | Failure] = field(default_factory=dict)
    _awaited: set[str] = field(default_factory=set)
    """Databases whose revisions a worker is about to tell."""
    _warnings: list[str] = field(default_factory=list)

    @property
    def known(self) -> dict[str, Revisions]:
        """The revisions of each database that could be read so far."""
        return {name: is_ for name, is_ in self._found.items() if isinstance(is_, Revisions)}

    def of(self, database: str) -> Revisions | Failure | None:
        """Return a database's revisions, or why they can't be read; ``None`` where not yet."""
        return self._found.get(database)

    def begin(self, databases: Iterable[str]) -> None:
        """Let workers load the scripts of databases that nobody has asked for yet."""
        self._awaited = {database for database in databases if database not in self._found}
        self.workers.begin(Verb.REVISIONS, sorted(self._awaited))

    def collect(self, *, wait: bool) -> bool:
        """Take what workers found out so far, and tell whether that is all."""
        if not self._awaited:  # what the workers do now is no business of ours
            return True
        for database, outcome in self.workers.collected(wait=wait).items():
            self._awaited.discard(database)
            if outcome.failure is not None or outcome.data is None:
                self._found[database] = outcome.failure or Failure("its scripts can't be read")
                continue
            revisions, warning = outcome.data
            self._found[database] = Revisions(revisions, outcome.heads)
            if warning is not None:
                self.unloaded.add(database)
                self._warnings.append(f"the scripts of {database} can't be loaded: {warning}")
        return not self._awaited

    def learn(self, databases: Iterable[str]) -> None:
        """Let workers tell the revisions of databases, and wait for it."""
        self.begin(databases)
        self.collect(wait=True)

    def take_warnings(self) -> list[str]:
        """Return what is to be said of scripts, each once. They may hold secrets."""
        warnings, self._warnings = self._warnings, []
        return warnings
