"""Where the scripts of an Alembic configuration are, found without running anything of them."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from orchestrator.config.alembic_file import AlembicFile

_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
_LEGACY = re.compile(r", *|(?: +)")


@dataclass(frozen=True, slots=True)
class Scripts:
    """A script location and its version locations."""

    location: str
    """Relative to the configuration's folder where it is below it."""
    versions: tuple[str, ...]
    """The same of the version locations."""
    folder: Path | None
    """``None`` where it is in a package that can't be found."""
    revisions: int
    """Files of revisions."""


def scripts_of(file: AlembicFile) -> Scripts:
    """Find the scripts that a configuration names. Raises ``AlembicFileError``."""
    location = file.script_location or ""
    versions = tuple(_paths(file, "version_locations")) or (f"{location}/versions",)
    deep = file.option("recursive_version_locations") == "true"
    deep = deep or file.table.get("recursive_version_locations") is True
    folders = [_folder(path, file) for path in versions]
    return Scripts(
        _shown(location, file.folder),
        tuple(_shown(path, file.folder) for path in versions),
        _folder(location, file),
        sum(_count(folder, deep=deep) for folder in folders if folder),
    )


def _paths(file: AlembicFile, option: str) -> Iterator[str]:
    """Yield the paths of an option, split as Alembic does."""
    text = file.option(option)
    if text is None:
        listed = file.table.get(option)
        for path in listed if isinstance(listed, list) else ():
            yield file.formatted(option, str(path))
        return
    name = file.option("path_separator") or file.option("version_path_separator")
    separator = _SEPARATORS.get(name or "")
    for path in text.split(separator) if separator else _LEGACY.split(text):
        if path.strip():
            yield path.strip()


def _folder(location: str, file: AlembicFile) -> Path | None:
    """Return the folder of a path or of Alembic's ``package:folder``."""
    package, colon, inside = location.partition(":")
    if not colon or Path(location).is_absolute():
        return file.folder / location
    search = [str(file.folder / path) for path in (".", *_paths(file, "prepend_sys_path"))]
    found = _package(package.split("."), search)
    return found / inside if found else None


def _package(names: Sequence[str], search: list[str]) -> Path | None:
    spec = PathFinder.find_spec(names[0], search)
    if spec is None:
        try:
            spec = find_spec(names[0])  # imports nothing, as long as there is no dot in it
        except ValueError:
            spec = None
    places = [Path(place) for place in (spec.submodule_search_locations if spec else None) or ()]
    for place in (place.joinpath(*names[1:]) for place in places):
        if place.is_dir():
            return place
    return None


def _shown(path: str, folder: Path) -> str:
    if Path(path).is_absolute() and Path(path).is_relative_to(folder):
        return Path(path).relative_to(folder).as_posix()
    return path


def _count(folder: Path, *, deep: bool) -> int:
    try:
        found = list(folder.glob("**/*.py" if deep else "*.py"))
    except (OSError, ValueError):
        return 0
    return sum(path.name != "__init__.py" for path in found)
