"""Alembic's own configuration: ``alembic.ini``, or ``[tool.alembic]`` of a ``pyproject.toml``.

Read here without Alembic, for what must be known before a worker starts; the worker hands the same
files to Alembic's ``Config``, and they keep the meaning that they have there.
"""

import configparser
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config.models import Database

INI_NAME = "alembic.ini"
TOML_NAME = "pyproject.toml"
MAIN_SECTION = "alembic"


class AlembicFileError(ValueError):
    """The file is not there, or is no configuration of Alembic; the message says which."""


@dataclass(frozen=True, slots=True)
class AlembicFile:
    """What Alembic would read: one ini section, or the table of a ``pyproject.toml``, or both."""

    ini: Path
    """Absolute. Of a ``pyproject.toml`` alone, the ``alembic.ini`` beside it that Alembic looks
    for, whether it is there or not."""
    toml: Path | None
    """Absolute; ``None`` where no ``pyproject.toml`` has a table for Alembic."""
    section: str
    """Alembic's main section of the ini file (``-n``)."""
    name: str | None
    """Which one of those that ``databases`` lists (Alembic's multidb template), if any."""
    sections: Mapping[str, Mapping[str, str]]
    """All sections of the ini file, ``%(here)s`` and other interpolations not yet filled in."""
    table: Mapping[str, Any]
    """``[tool.alembic]``, as it is written."""

    @property
    def folder(self) -> Path:
        """Where the file is: ``%(here)s``."""
        return self.ini.parent

    @property
    def databases(self) -> tuple[str, ...]:
        """What ``databases`` lists, as Alembic's multidb template splits it."""
        listed = self.option("databases") or ""
        return tuple(name for name in re.split(r",\s*", listed.strip()) if name)

    @property
    def script_location(self) -> str | None:
        """As it is written, with ``%(here)s`` filled in."""
        return self.option("script_location")

    def option(self, name: str, section: str | None = None) -> str | None:
        """Return an option of the main section, or of another, with interpolations filled in.

        The ini file comes first, as in Alembic. Raises ``AlembicFileError`` for one that can't be
        filled in.
        """
        values = self.sections.get(section or self.section, {})
        if name in values:
            return self._interpolated(name, values)
        value = self.table.get(name) if section is None else None
        return self.formatted(name, value) if isinstance(value, str) else None

    def formatted(self, name: str, text: str) -> str:
        """Return a text of the table with ``%(here)s`` filled in. Raises ``AlembicFileError``."""
        try:
            return text % {"here": self.folder.as_posix()}
        except (KeyError, TypeError, ValueError) as error:
            raise AlembicFileError(f"{TOML_NAME}: option '{name}': bad % in it: {error}") from None

    def base(self, folder: Path) -> Path:
        """Return the folder that relative paths of the file start from: where ``alembic`` is run.

        Alembic means the current folder. That is the file's own, unless its script location is
        only there when seen from ``folder``, that of ``environments.toml``.
        """
        location = self.script_location or ""
        if not location:  # whoever runs Alembic says it, and does so in the project's own folder
            return folder
        if (
            ":" in location
            or Path(location).is_absolute()
            or os.path.isdir(self.folder / location)  # noqa: PTH112 - Path's raises where it may not look
            or not os.path.isdir(folder / location)  # noqa: PTH112 - the same
        ):
            return self.folder
        return folder

    def _interpolated(self, name: str, values: Mapping[str, str]) -> str:
        given = {"here": self.folder.as_posix(), **values}
        try:
            # Not a ConfigParser's own get: to fill one, every other option must be right, too.
            return configparser.BasicInterpolation().before_get(
                configparser.RawConfigParser(), self.section, name, values[name], given
            )
        except configparser.InterpolationMissingOptionError as error:
            why = f"the file does not say what %({error.reference})s is"
        except configparser.InterpolationError:
            why = "a % in it is neither %% nor %(name)s"
        # What configparser says holds the value, and a URL's has a password.
        raise AlembicFileError(f"{self.ini.name}: option '{name}': {why}")


def read_alembic_file(path: Path, section: str | None = None) -> AlembicFile:
    """Read an ini file or a ``pyproject.toml``, and the other of the two beside it.

    ``section`` is Alembic's ``-n``, or one that ``databases`` lists. Raises ``AlembicFileError``.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - keeps symbolic links as they were named
    is_toml = path.suffix == ".toml"
    ini = path.with_name(INI_NAME) if is_toml else path
    toml = path if is_toml else path.with_name(TOML_NAME)
    table = _table(toml, required=is_toml)
    sections = _sections(ini, required=not is_toml)
    if not is_toml and MAIN_SECTION not in sections and section is None and not table:
        raise AlembicFileError(f"{path.name} has no section [{MAIN_SECTION}]")
    found = AlembicFile(
        ini, toml if table else None, section or MAIN_SECTION, None, sections, table
    )
    return found if section is None else _within(found, section)


def alembic_file(database: Database, folder: Path) -> AlembicFile | None:
    """Read what ``config_file`` names, if anything. Raises ``AlembicFileError``."""
    if database.config_file is None:
        return None
    return read_alembic_file(folder / database.config_file, database.ini_section)


def script_location(database: Database, folder: Path) -> tuple[str, Path, str]:
    """Return a database's script location, what it is relative to, and the key that says it.

    ``folder`` is that of ``environments.toml``. Raises ``AlembicFileError``.
    """
    if database.script_location is not None:
        return database.script_location, folder, "script_location"
    found = alembic_file(database, folder)
    location = found.script_location if found is not None else None
    if found is None or location is None:
        raise AlembicFileError(f"{database.config_file} says no script_location")
    return location, found.base(folder), "config_file"


def _within(found: AlembicFile, section: str) -> AlembicFile:
    """A section with a script location is a main one of its own; else ``databases`` lists it."""
    main = AlembicFile(found.ini, found.toml, MAIN_SECTION, section, found.sections, found.table)
    if "script_location" not in found.sections.get(section, {}) and section in main.databases:
        return main
    if section not in found.sections:
        raise AlembicFileError(f"{found.ini.name} has no section [{section}]")
    return found


def _sections(path: Path, *, required: bool) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file, path.name)
    except FileNotFoundError:
        if required:
            raise AlembicFileError(f"there is no '{path.name}'") from None
        return {}
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise AlembicFileError(f"{path.name} can't be read: {why}") from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _table(path: Path, *, required: bool) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("alembic")
    except FileNotFoundError:
        found = None
        if required:
            raise AlembicFileError(f"there is no '{path.name}'") from None
    except (OSError, ValueError, AttributeError) as error:
        found = None
        if required:
            raise AlembicFileError(f"{path.name} can't be read: {error}") from None
    if required and not isinstance(found, dict):
        raise AlembicFileError(f"{path.name} has no table [tool.alembic]")
    return found if isinstance(found, dict) else {}
