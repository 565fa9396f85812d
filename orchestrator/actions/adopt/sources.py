"""What there is to adopt: Alembic's configuration in a folder, and the scripts that it names."""

import configparser
import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions.adopt.env_py import EnvPy, read_env_py
from orchestrator.actions.adopt.places import Scripts, scripts_of
from orchestrator.config.alembic_file import (
    INI_NAME,
    MAIN_SECTION,
    TOML_NAME,
    AlembicFile,
    AlembicFileError,
    read_alembic_file,
)
from orchestrator.errors import UsageError

# As configparser reads them.
_LINE = re.compile(r"\s*(?:\[(?P<section>.+)\]|(?P<key>[^\s#;\[=:][^=:]*?)\s*[=:])")
Lines = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Source:
    """One logical database of Alembic's configuration."""

    section: str | None
    """What ``ini_section`` is to be; ``None`` for the main section."""
    file: AlembicFile
    url_section: str
    """Where its ``sqlalchemy.url`` is."""
    scripts: Scripts
    env: EnvPy


@dataclass(frozen=True, slots=True)
class Sources:
    """All of them, and where the file says what."""

    folder: Path
    """Absolute."""
    config_file: str
    """``alembic.ini`` or ``pyproject.toml``."""
    project: str
    """The project's name."""
    databases: tuple[Source, ...]
    sections: AlembicFile
    lines: Lines
    """Section and option → line of ``alembic.ini``. What all sections share is in ``DEFAULT``."""

    def place(self, section: str, option: str) -> str:
        """Say where an option is: ``alembic.ini line 63``."""
        line = self.lines.get((section, option)) or self.lines.get(("DEFAULT", option))
        return f"{self.sections.ini.name} line {line}" if line else self.config_file


def has_alembic(folder: Path) -> bool:
    """Whether a folder holds Alembic's configuration, in order or not."""
    return (folder / INI_NAME).is_file() or _has_table(folder / TOML_NAME)


def read_sources(folder: Path, name: str | None) -> Sources:
    """Read what is to be adopted in a folder. Raises ``UsageError`` with the next step."""
    folder = Path.cwd() / folder
    try:
        file = _file(folder)
        lines = dict(_lines(file.ini))
        databases = tuple(_databases(file, lines))
    except AlembicFileError as error:
        raise _refused(f"{error}", "mend it, or move it away to start a new project") from None
    if not databases:
        raise _refused(f"{_named(file)} says no script_location", "add it, or move the file away")
    project = name or _project_name(folder) or folder.resolve().name or "project"
    return Sources(folder, _named(file), project, databases, file, lines)


def _file(folder: Path) -> AlembicFile:
    """Read ``alembic.ini``, also one that has sections for ``alembic -n`` alone."""
    ini = folder / INI_NAME
    if not ini.is_file():
        return read_alembic_file(folder / TOML_NAME)
    try:
        return read_alembic_file(ini)
    except AlembicFileError:
        parser = configparser.ConfigParser(interpolation=None)
        with contextlib.suppress(OSError, ValueError, configparser.Error):
            parser.read_string(ini.read_text(encoding="utf-8"))
        for section in parser.sections():
            if parser.has_option(section, "script_location"):
                return read_alembic_file(ini, section)
        raise


def _databases(file: AlembicFile, lines: Lines) -> Iterator[Source]:
    main = file if file.section == MAIN_SECTION else None
    listed: tuple[str, ...] = ()
    if main is not None and main.script_location:
        first = _source(None, main, MAIN_SECTION)
        listed = _listed(main, first.env)
        for name in listed:
            if "script_location" not in file.sections.get(name, {}):
                yield _source(name, main, name)
        if not listed:
            yield first
    for name in file.sections:
        if name != MAIN_SECTION and _is_main_of_its_own(file, name, lines):
            yield _source(name, read_alembic_file(file.ini, name), name)


def _listed(main: AlembicFile, env: EnvPy) -> tuple[str, ...]:
    """Return what ``databases`` lists, unless that is an option of another meaning."""
    found = tuple(dict.fromkeys(main.databases))
    known = env.mentions_databases or any(name in main.sections for name in found)
    return found if known else ()


def _is_main_of_its_own(file: AlembicFile, section: str, lines: Lines) -> bool:
    """Whether ``alembic -n SECTION`` works; logging's sections share what ``[DEFAULT]`` says."""
    if "script_location" not in file.sections[section]:
        return False
    own = {option for name, option in lines if name == section}
    return not own.isdisjoint({"script_location", "version_locations", "sqlalchemy.url"})


def _source(section: str | None, file: AlembicFile, url_section: str) -> Source:
    scripts = scripts_of(file)
    env = scripts.folder / "env.py" if scripts.folder else None
    try:
        text = env.read_text(encoding="utf-8") if env else None
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None:
        raise _refused(
            f"there is no env.py in script_location {scripts.location!r}",
            f"mend script_location in {_named(file)}",
        )
    return Source(section, file, url_section, scripts, read_env_py(text))


def _named(file: AlembicFile) -> str:
    """Return the file to name in ``config_file``: the one that says the main script location."""
    in_ini = "script_location" in file.sections.get(MAIN_SECTION, {})
    in_toml = "script_location" in file.table or not file.ini.is_file()
    return TOML_NAME if in_toml and not in_ini else INI_NAME


def _lines(ini: Path) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield section, option and line of an ini file, options as ``configparser`` names them."""
    section = ""
    try:
        text = ini.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for number, line in enumerate(text.split("\n"), 1):
        found = _LINE.match(line)
        if found and found["section"]:
            section = found["section"]
        elif found:
            yield (section, found["key"].lower()), number


def _has_table(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    try:
        return isinstance(tomllib.loads(text)["tool"]["alembic"], dict)
    except (KeyError, TypeError):
        return False
    except (ValueError, RecursionError):
        return "[tool.alembic" in text


def _project_name(folder: Path) -> str | None:
    try:
        text = (folder / TOML_NAME).read_text(encoding="utf-8")
        name = tomllib.loads(text)["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) and name else None


def _refused(what: str, step: str) -> UsageError:
    return UsageError(f"{what}\n  {step}; nothing was written")
