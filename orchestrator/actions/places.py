"""Where the things of a project are written down, in files and lines."""

import os.path
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.load import ConfigFile
from orchestrator.config.positions import Positions


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are written down."""

    file: ConfigFile
    root: Path
    """What paths are told relative to."""

    def table(self, *path: str) -> tuple[str, int]:
        """Return file and line of a table of ``environments.toml``."""
        return self._of(self.file.path), Positions(self.file.text).find(path, on_key=True).line

    def revision(self, path: str) -> tuple[str, int]:
        """Return file and line of a revision's ``upgrade()``."""
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        at = (n for n, text in enumerate(lines, 1) if text.startswith("def upgrade("))
        return self._of(Path(path)), next(at, 1)

    def _of(self, path: Path) -> str:
        found = os.path.relpath(path, self.root)
        return path.as_posix() if found.startswith("..") else Path(found).as_posix()
