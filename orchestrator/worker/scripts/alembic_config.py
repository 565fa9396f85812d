"""Alembic's ``Config`` for one database, from its own ini file or ``pyproject.toml`` if any."""

import contextlib
import importlib
import inspect
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from orchestrator.config.alembic_file import (
    AlembicFile,
    alembic_file,
    script_location,
)
from orchestrator.config.models import Database


@dataclass(frozen=True, slots=True)
class AlembicSettings:
    """How to make a ``Config``, and where code runs with it."""

    database: Database
    location: str
    """The script location: absolute, or ``package:folder``."""
    base: Path
    """The folder in which ``alembic`` would be run: relative paths start there."""
    folder: Path
    """The folder of ``environments.toml``."""
    file: AlembicFile | None
    import_path: list[str] = field(default_factory=list)
    """Folders to import from, absolute: ``python_path``, then ``prepend_sys_path``."""

    def enter(self) -> None:
        """Make this process one that ``alembic`` was started in: its folder, its import path."""
        os.chdir(self.base)
        sys.path[:0] = self.import_path

    def directory(self, config: AlembicConfig) -> ScriptDirectory:
        """Return the script directory of ``config``; keep what Alembic puts before ``sys.path``.

        Reads no revision. Raises ``CommandError`` where there is no such directory.
        """
        before = len(sys.path)
        found = ScriptDirectory.from_config(config)
        count = len(sys.path) - before
        added = [os.path.abspath(self.base / path) for path in sys.path[:count]]  # noqa: PTH100 - keeps symbolic links as they were named
        del sys.path[:count]
        added = [path for path in added if path not in self.import_path]
        at = len(self.import_path)
        sys.path[at:at] = added
        self.import_path.extend(added)
        return found

    def note_import_path(self) -> None:
        """Have what the file says of ``sys.path`` there before ``configure`` is imported."""
        config = self.config()
        config.set_main_option("script_location", _quoted(str(self.base)))  # imports no package
        self.directory(config)

    def config(self, url: str | None = None, options: Namespace | None = None) -> AlembicConfig:
        """Return a fresh ``Config``; what it holds in memory goes nowhere else.

        ``url`` takes the place of ``sqlalchemy.url``. Of a multidb set-up only the one database
        is left.
        """
        config = AlembicConfig(**self._files(), cmd_opts=options)
        config.set_main_option("script_location", _quoted(self.location))
        self._set_version_locations(config)
        if url is not None:
            config.set_main_option("sqlalchemy.url", _quoted(url))
        if self.file is not None and self.file.name is not None:
            config.set_main_option("databases", _quoted(self.file.name))
            if url is not None:
                config.set_section_option(self.file.name, "sqlalchemy.url", _quoted(url))
        return config

    def _set_version_locations(self, config: AlembicConfig) -> None:
        locations, recursive = (
            self.database.version_locations,
            self.database.recursive_version_locations,
        )
        if recursive is not None:
            config.set_main_option("recursive_version_locations", str(recursive).lower())
        if not locations:
            return
        # ";" is the one separator that all versions of Alembic know and "package:folder" has not.
        knows = hasattr(config, "get_prepend_sys_paths_list")  # Alembic 1.16 and later
        if not knows or config.get_main_option("path_separator") is None:
            config.set_main_option("version_path_separator", ";")
        else:
            if config.get_main_option("prepend_sys_path"):
                paths = config.get_prepend_sys_paths_list() or []
                config.set_main_option("prepend_sys_path", _quoted(";".join(paths)))
            config.set_main_option("path_separator", ";")
        found = [where if ":" in where else str(self.folder / where) for where in locations]
        config.set_main_option("version_locations", _quoted(";".join(found)))

    @contextlib.contextmanager
    def customised(self, config: AlembicConfig) -> Iterator[None]:
        """Within it, ``config`` is what the function that ``configure`` names makes of it.

        That function may return a context manager or be a generator: it is entered, and left at
        the end. What is raised within is raised, also where the function catches it.
        """
        if self.database.configure is None:
            yield
            return
        error: BaseException | None = None
        with _entered(imported(self.database.configure)(config), self.database.configure):
            try:
                yield
            except BaseException as caught:
                error = caught
                raise
        if error is not None:
            raise error

    def _files(self) -> dict[str, Any]:
        if self.file is None:
            return {}
        found: dict[str, Any] = {"file_": str(self.file.ini), "ini_section": self.file.section}
        if self.file.toml is not None:
            if hasattr(AlembicConfig, "toml_file_name"):
                found["toml_file"] = str(self.file.toml)
            elif not self.file.sections:
                raise CommandError(
                    f"[tool.alembic] of {self.file.toml} needs Alembic 1.16 or later"
                )
        return found


def read_settings(database: Database, folder: Path) -> AlembicSettings:
    """Read a database's settings. ``folder`` is that of ``environments.toml``.

    Raises ``AlembicFileError``.
    """
    file = alembic_file(database, folder)
    location, relative_to, _ = script_location(database, folder)
    if ":" not in location:  # "package:folder" is Alembic's own notation
        location = str(relative_to / location)
    base = folder if file is None else file.base(folder)
    settings = AlembicSettings(database, location, base, folder, file)
    settings.import_path.extend(str(folder / path) for path in database.python_path)
    return settings


def _entered(made: Any, name: str) -> AbstractContextManager[Any]:
    if inspect.isgenerator(made):
        return contextlib.contextmanager(lambda: made)()
    if inspect.isawaitable(made) or inspect.isasyncgen(made):
        if inspect.iscoroutine(made):
            made.close()
        raise TypeError(
            f"configure = '{name}' is async, and nothing awaits it; make it a plain def"
        )
    return made if hasattr(made, "__enter__") else contextlib.nullcontext()


def imported(reference: str) -> Any:
    """Import what ``package.module:name`` names."""
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _quoted(text: str) -> str:
    return text.replace("%", "%%")
