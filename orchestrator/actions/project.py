"""``Project``: the verbs of the command line for Python programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.actions.results import (
    History,
    NewRevision,
    Observer,
    Result,
    Silent,
    SqlFiles,
)
from orchestrator.config.load import ConfigFile, load
from orchestrator.fleet.target import Target


@dataclass(frozen=True, slots=True)
class Selection:
    """Which targets a command is about; empty means all of the promotion path."""

    selectors: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


class Project:
    """A fleet declared in one ``environments.toml``.

    Every verb returns a frozen result; what went wrong on single targets is in it. Raises
    ``OrchestratorError`` where nothing could be started.
    """

    def __init__(self, file: ConfigFile, observer: Observer | None = None) -> None:
        self.file = file
        self.observer = observer or Silent()

    @classmethod
    def load(cls, path: Path | None = None, observer: Observer | None = None) -> "Project":
        """Load ``path``, or the nearest ``environments.toml``. Raises ``ConfigError``."""
        return cls(load(path), observer)

    def targets(self, selection: Selection = Selection()) -> tuple[Target, ...]:
        raise NotImplementedError

    def status(self, selection: Selection = Selection()) -> Result:
        raise NotImplementedError

    def check(self, selection: Selection = Selection()) -> Result:
        raise NotImplementedError

    def upgrade(
        self, selection: Selection = Selection(), revision: str = "heads", *, dry_run: bool = False
    ) -> Result:
        raise NotImplementedError

    def sql(
        self, folder: Path, selection: Selection = Selection(), revision: str = "heads"
    ) -> SqlFiles:
        raise NotImplementedError

    def downgrade(self, selection: Selection, revision: str, *, dry_run: bool = False) -> Result:
        raise NotImplementedError

    def stamp(self, selection: Selection, revision: str, *, purge: bool = False) -> Result:
        raise NotImplementedError

    def revision(self, database: str, message: str, *, empty: bool = False) -> NewRevision:
        raise NotImplementedError

    def history(self, database: str, selection: Selection = Selection()) -> History:
        raise NotImplementedError

    def protected(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """The protected environments among ``targets``: their owner wants to be asked first."""
        names = {target.environment for target in targets}
        return tuple(n for n, e in self.file.config.environments.items() if e.protected and n in names)
