"""Modules of one database's application, kept apart from another's of the same name.

Two services of one repository may both have a package ``app`` or ``models``. Each has an import
path of its own, and a worker that serves both must not give one the other's.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class Modules:
    """Which import path the modules in ``sys.modules`` belong to."""

    def __init__(self) -> None:
        self._path: tuple[str, ...] = ()
        self._put_away: dict[tuple[str, ...], dict[str, ModuleType]] = {}

    def change_to(self, path: Sequence[str]) -> None:
        """Put away what was imported from another import path; bring back what was from this."""
        wanted = tuple(path)
        if wanted == self._path:
            return
        found = {n: m for n, m in list(sys.modules.items()) if _is_from(m, self._path)}
        for name in found:
            del sys.modules[name]
        self._put_away[self._path] = found
        sys.modules.update(self._put_away.pop(wanted, {}))
        self._path = wanted


def _is_from(module: ModuleType, folders: Sequence[str]) -> bool:
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if not isinstance(file, str) or "site-packages" in file:
        return False
    return any(Path(file).is_relative_to(folder) for folder in folders)
