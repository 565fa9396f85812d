"""What every run works with: its project, then also the ledger, the workers and the options."""

import getpass
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config.load import ConfigFile
from orchestrator.config.models import Config, Rollout
from orchestrator.config.redaction import Redactor
from orchestrator.config.secrets import Secrets
from orchestrator.dispatch.observer import Observer
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import UsageError
from orchestrator.fleet.address import Address, AddressTemplate
from orchestrator.fleet.location import Location
from orchestrator.fleet.target import Target
from orchestrator.inspection.reading import Reading, identity_of
from orchestrator.ledger.ledger import Ledger
from orchestrator.rollout.limits import limits
from orchestrator.rollout.plan import Plan
from orchestrator.safety.ready import make_ready

Targets = tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is to be driven, as options of the command line say it."""

    wait: bool = False
    """Wait for gates and windows instead of leaving the run to be resumed."""
    override: str | None = None
    """Why the first closed gate is to be passed all the same."""
    wait_for_lock: float | None = None
    """For how many seconds whoever is at work on a target is waited for; ``None`` as the file
    says."""
    events: Path | None = None
    """Append every event to this file, as a line of JSON."""
    ask: Callable[[str], bool | None] = lambda _: None
    """Asks for approval on the terminal; ``None`` while there is no answer."""
    confirm: Callable[[Plan], None] = lambda _: None
    """Asks before a run is recorded that changes anything; raises ``Refused`` for a no."""
    by: str = field(default_factory=lambda: whoami())
    """Who is recorded for what is done."""


@dataclass(frozen=True, slots=True)
class ProjectContext:
    """A project's file and secrets, and how its targets are found."""

    file: ConfigFile
    secrets: Secrets
    x: tuple[str, ...]
    observer: Observer
    find: Callable[[Sequence[str]], Targets]
    """Returns the targets that selectors name, in order."""

    @property
    def config(self) -> Config:
        """What ``environments.toml`` declares."""
        return self.file.config

    def workers(self, targets: Sequence[Target]) -> Workers:
        """Return as many workers as ``targets`` can use at once, to be entered."""
        return Workers.of(self.file, self.secrets, self.x, targets, self.observer)

    def still_known(self, environments: Sequence[str]) -> Targets:
        """Return the targets that there are in those of ``environments`` that there still are."""
        known = self.config.environments
        return self.find([name for name in dict.fromkeys(environments) if name in known])

    def redacted(self, text: str, location: Location | None) -> str:
        """Return a text without any secret, and without the password of a place."""
        password = None if location is None else location.password
        known = self.secrets.values | ({password} if password else set())
        return Redactor(known)(text)

    def ledger(self, targets: Sequence[Target] = ()) -> Ledger:
        """Open the project's ledger.

        Raises ``UsageError`` where it is the database of a target, or none that can be one;
        ``Refused`` where it can't be reached.
        """
        location = self.ledger_location
        for target in targets:
            if self._is_ledger(target, location):
                raise _is_no_target(target.name)
        return self._opened(location)

    def _is_ledger(self, target: Target, ledger: Location) -> bool:
        """Whether a target is the ledger's database, as far as that can be told here."""
        if self.config.engine.kind == "dask":  # its secrets are not here
            return target.address.identity == self._ledger_address.identity
        return _same(target.address.resolve(self.secrets.value), ledger)

    def refuse_ledger(self, readings: Mapping[str, Reading]) -> None:
        """Raise ``UsageError`` where one of the targets that were read is the ledger's database."""
        ledger = identity_of(self.ledger_location)
        for name, reading in readings.items():
            if reading.identity == ledger:
                raise _is_no_target(name)

    def existing_ledger(self) -> Ledger:
        """Open the ledger to look things up. Raises ``UsageError`` where there is none yet."""
        if not self.ledger_exists:
            raise UsageError("there is no ledger yet: nothing was run")
        return self._opened(self.ledger_location)

    def _opened(self, location: Location) -> Ledger:
        """Targets of two projects may have the same names, and must not be taken for one."""
        ledger = Ledger.open(location)
        name = self.config.project.name
        others = [other for other in ledger.projects() if other != name]
        if others:
            ledger.close()
            raise UsageError(
                f"project.ledger is the ledger of project '{others[0]}', and this is '{name}'\n"
                "  give each project a ledger of its own"
            )
        return ledger

    @property
    def ledger_location(self) -> Location:
        """Where the ledger is. Raises ``UsageError`` where its URL is none."""
        address = self._ledger_address
        try:
            return address.resolve(self.secrets.value)
        except ValueError as error:
            raise UsageError(f"project.ledger: {error}") from None

    @property
    def _ledger_address(self) -> Address:
        url = self.config.project.ledger
        try:
            return AddressTemplate.parse(url, None, self.file.folder).fill({})
        except (KeyError, ValueError) as error:
            raise UsageError(f"project.ledger: {error}") from None

    @property
    def ledger_exists(self) -> bool:
        """Whether there may be a ledger already; opening one would make it."""
        location = self.ledger_location
        return location.backend != "sqlite" or os.path.exists(location.file or "")  # noqa: PTH110 - Path's may raise

    def make_ready(self, targets: Sequence[Target]) -> None:
        """Check what can be checked of targets before anything is touched."""
        make_ready(self.config, targets, self.secrets)


@dataclass(frozen=True, slots=True)
class RunContext:
    """What is there while one command drives a run."""

    project: ProjectContext
    ledger: Ledger
    workers: Workers
    options: RunOptions

    @property
    def config(self) -> Config:
        """What ``environments.toml`` declares."""
        return self.project.config

    @property
    def observer(self) -> Observer:
        """Who is told what happens."""
        return self.project.observer

    def limits(self, target: Target) -> Rollout:
        """Return the limits of a target, with the wait for locks that the options ask for."""
        return limits_of(self.config, self.options, target)


def limits_of(config: Config, options: RunOptions, target: Target) -> Rollout:
    """Return the limits of a target, with the wait for locks that ``options`` ask for."""
    settings = limits(config, target.environment, target.database)
    if options.wait_for_lock is None:
        return settings
    return settings.model_copy(update={"wait_for_lock": options.wait_for_lock})


def _is_no_target(name: str) -> UsageError:
    return UsageError(
        f"project.ledger is the database of {name}\n  give the ledger a database of its own"
    )


def _same(one: Location, other: Location) -> bool:
    if one.backend == "sqlite" and other.backend == "sqlite":
        paths = [os.path.realpath(place.file or "") for place in (one, other)]
        return paths[0] == paths[1]
    return one.identity == other.identity


def is_same_person(one: str, other: str) -> bool:
    """Whether two names may be one person's: ``kim@laptop`` at a terminal is ``kim`` on a page."""
    return one.partition("@")[0].casefold() == other.partition("@")[0].casefold()


def whoami() -> str:
    """Return ``user@host`` of whoever runs this."""
    user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    with suppress(OSError, KeyError, ImportError):  # a container may run as nobody it knows
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"
