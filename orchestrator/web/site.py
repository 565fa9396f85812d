"""What every page works with."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.actions import Project
from orchestrator.config.roles import Role
from orchestrator.errors import OrchestratorError
from orchestrator.fleet.target import Target
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import Seen
from orchestrator.render.html.fleet import FleetView, Row, fleet_view, rows
from orchestrator.web.settings import Settings
from orchestrator.web.signing import OneTimeCodes, SignInLimit

_TENANTS_FOR = 60.0
"""Seconds for which the tenants that were read are believed."""
_FLEET_FOR = 3.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """All targets, with what the ledger knows of each."""

    targets: tuple[Target, ...]
    rows: list[Row]
    seen: Mapping[str, Seen]
    view: FleetView


@dataclass(slots=True)
class FleetReader:
    """Reads the fleet at most every few seconds, whoever asks."""

    load: Callable[[], Project]
    ledger: Ledger
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _targets: tuple[Target, ...] = ()
    _problem: str = ""
    _tenants_at: float | None = None
    _read_at: int = 0
    _found: Fleet | None = None
    _found_at: float = 0.0

    def read(self) -> Fleet:
        """Return the fleet. Where tenants can't be read, the ones that were are shown, and why."""
        with self._lock:
            now = self.clock()
            if self._found is not None and now - self._found_at < _FLEET_FOR:
                return self._found
            if self._tenants_at is None or now - self._tenants_at >= _TENANTS_FOR:
                self._read_tenants()
                self._tenants_at = now
            standings, seen = self.ledger.heads_now(), self.ledger.seen()
            found = rows(self._targets, standings, seen)
            view = fleet_view(found, seen, self._read_at, self._problem)
            self._found = Fleet(self._targets, found, seen, view)
            self._found_at = self.clock()
            return self._found

    def _read_tenants(self) -> None:
        try:
            self._targets = self.load().targets()
            self._problem = ""
            self._read_at = self.ledger.now()
        except OrchestratorError as error:
            self._problem = str(error)


@dataclass(frozen=True, slots=True)
class Site:
    """A project's dashboard."""

    name: str
    """The project's."""
    load: Callable[[], Project]
    """Loads the project as its file is now."""
    ledger: Ledger
    settings: Settings
    fleet: FleetReader
    codes: OneTimeCodes = field(default_factory=OneTimeCodes)
    limit: SignInLimit = field(default_factory=SignInLimit)

    @classmethod
    def of(cls, load: Callable[[], Project], settings: Settings) -> "Site":
        """Open a project's ledger, making it where there is none, and return its dashboard."""
        project = load()
        ledger = project.ledger()
        name = project.file.config.project.name
        return cls(name, load, ledger, settings, FleetReader(load, ledger))

    def link(self, name: str, role: Role) -> str:
        """Return a link that signs somebody in once, within minutes."""
        return f"{self.settings.url}/sign-in/{self.codes.make(name, role)}"
