"""Where the scripts of an Alembic configuration are, found without running anything of them."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    unread: tuple[tuple[str, int], ...] = ()
    """Sub-folders that have revisions and are not read, and how many."""


def scripts_of(file: AlembicFile) -> Scripts:
    """Find the scripts that a configuration names. Raises ``AlembicFileError``."""
    return _scripts(file, file.script_location or "", file.folder)


def scripts_in(where: Path, location: str, file: AlembicFile) -> Scripts:
    """Describe the scripts of a folder, to be named ``location``. Raises ``AlembicFileError``."""
    found = _scripts(file, str(where), where)
    versions = tuple(f"{location}/{path}" for path in found.versions)
    unread = tuple((f"{location}/{path}", number) for path, number in found.unread)
    return replace(found, location=location, versions=versions, unread=unread)


def _scripts(file: AlembicFile, location: str, base: Path) -> Scripts:
    versions = tuple(_paths(file, "version_locations")) or (f"{location}/versions",)
    deep = file.option("recursive_version_locations") == "true"
    deep = deep or file.table.get("recursive_version_locations") is True
    folders = [found for path in versions if (found := _folder(path, file))]
    return Scripts(
        _shown(location, base),
        tuple(_shown(path, base) for path in versions),
        _folder(location, file),
        sum(_count(folder, deep=deep) for folder in folders),
        () if deep else tuple(_unread(folders, base)),
    )


def _unread(folders: Sequence[Path], base: Path) -> Iterator[tuple[str, int]]:
    """Yield sub-folders of version locations that hold revisions and are none themselves."""
    for folder in folders:
        try:
            below = sorted(path for path in folder.rglob("*") if path.is_dir())
        except OSError:
            continue
        for path in below:
            number = sum(map(_is_revision, path.glob("*.py")))
            if number and path not in folders and path.name != "__pycache__":
                yield _shown(str(path), base), number


def _is_revision(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^down_revision\b", text, re.MULTILINE) is not None


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
    return found.joinpath(*inside.split(":")) if found else None


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
