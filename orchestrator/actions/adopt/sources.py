"""What there is to adopt: Alembic's configuration in a folder, and the scripts that it names."""

import configparser
import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.actions.adopt.flask import FlaskApp, flask_app
from orchestrator.actions.adopt.places import Scripts, scripts_in, scripts_of
from orchestrator.actions.adopt.search import (
    configurations,
    environments,
    is_environment,
    others,
)
from orchestrator.config.alembic_file import (
    INI_NAME,
    MAIN_SECTION,
    TOML_NAME,
    AlembicFile,
    AlembicFileError,
    read_alembic_file,
)
from orchestrator.errors import UsageError
from orchestrator.snapshot.env_py_text import EnvPy, read_env_py

# As configparser reads them.
_LINE = re.compile(r"\s*(?:\[(?P<section>.+)\]|(?P<key>[^\s#;\[=:][^=:]*?)\s*[=:])")
Lines = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Configuration:
    """One file that configures Alembic, and where it says what."""

    config_file: str | None
    """Relative to the project: ``alembic.ini``; ``None`` where there is an ``env.py`` alone."""
    sections: AlembicFile
    lines: Lines
    """Section and option → line of the ini file. What all sections share is in ``DEFAULT``."""

    def place(self, section: str, option: str) -> str:
        """Say where an option is: ``alembic.ini line 63``."""
        line = self.lines.get((section, option)) or self.lines.get(("DEFAULT", option))
        file = self.config_file or "env.py"
        return f"{Path(file).with_name(self.sections.ini.name)} line {line}" if line else file


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
    of: Configuration
    script_location: str | None = None
    """What ``script_location`` is to be; ``None`` where the configuration says it."""
    flask: FlaskApp | None = None
    """The application whose context its ``env.py`` wants."""
    bind: str | None = None
    """Which of the application's databases it is; ``None`` for the first."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All of them, wherever in a project they are."""

    folder: Path
    """Absolute."""
    project: str
    """The project's name."""
    databases: tuple[Source, ...]
    configurations: tuple[Configuration, ...]
    others: tuple[str, ...] = ()
    """Further files that configure Alembic, below the one that was taken."""


def has_alembic(folder: Path) -> bool:
    """Whether there is something of Alembic to adopt, in order or not."""
    return bool(configurations(folder) or environments(folder))


def read_sources(folder: Path, name: str | None) -> Sources:
    """Read what is to be adopted in a folder. Raises ``UsageError`` with the next step."""
    folder = Path.cwd() / folder
    project = name or _project_name(folder) or folder.resolve().name or "project"
    taken: list[Configuration] = []
    databases: list[Source] = []
    for path in configurations(folder):
        of, found = _read(folder, path)
        taken.append(of)
        databases += found
    if not taken:
        for where in environments(folder):
            of = Configuration(None, _nothing(where), {})
            taken.append(of)
            databases += _with_binds(_of_env_py(folder, where, of))
    more = tuple(_shown(folder, path) for path in others(folder))
    return Sources(folder, project, tuple(databases), tuple(taken), more)


def _read(folder: Path, path: Path) -> tuple[Configuration, list[Source]]:
    try:
        file = _file(path.parent)
        of = Configuration(_named(folder, file), file, dict(_lines(file.ini)))
        databases = list(_databases(folder, of))
        if not databases and is_environment(path.parent):  # as Flask-Migrate has it
            databases = list(_with_binds(_of_env_py(folder, path.parent, of)))
    except AlembicFileError as error:
        raise _refused(f"{error}", "fix it, or move it away to start a new project") from None
    if not databases:
        raise _refused(f"{of.config_file} says no script_location", "add it, or move the file away")
    return of, databases


def _of_env_py(folder: Path, where: Path, of: Configuration) -> Source:
    """A database whose configuration does not say where its scripts are: they are right there."""
    text = (where / "env.py").read_text(encoding="utf-8", errors="replace")
    location = _shown(folder, where)
    app = flask_app(folder, text)
    return Source(
        None,
        of.sections,
        MAIN_SECTION,
        scripts_in(where, location, of.sections),
        read_env_py(text),
        of,
        location,
        app,
    )


def _with_binds(source: Source) -> Iterator[Source]:
    yield source
    for bind in source.flask.binds if source.flask else ():
        yield replace(source, bind=bind)


def _nothing(where: Path) -> AlembicFile:
    return AlembicFile(where / INI_NAME, None, MAIN_SECTION, None, {}, {})


def _shown(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


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


def _databases(folder: Path, of: Configuration) -> Iterator[Source]:
    file, lines = of.sections, of.lines
    main = file if file.section == MAIN_SECTION else None
    listed: tuple[str, ...] = ()
    if main is not None and main.script_location:
        first = _source(None, main, MAIN_SECTION, of, folder)
        listed = _listed(main, first.env)
        for name in listed:
            if "script_location" not in file.sections.get(name, {}):
                yield _source(name, main, name, of, folder)
        if not listed:
            yield first
    for name in file.sections:
        if name != MAIN_SECTION and _is_main_of_its_own(file, name, lines):
            yield _source(name, read_alembic_file(file.ini, name), name, of, folder)


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


def _source(
    section: str | None, file: AlembicFile, url_section: str, of: Configuration, folder: Path
) -> Source:
    scripts = scripts_of(file)
    env = scripts.folder / "env.py" if scripts.folder else None
    try:
        text = env.read_text(encoding="utf-8") if env else None
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None:
        raise _refused(
            f"there is no env.py in script_location {scripts.location!r}",
            f"fix script_location in {of.config_file}",
        )
    app = flask_app(folder, text)
    return Source(section, file, url_section, scripts, read_env_py(text), of, flask=app)


def _named(folder: Path, file: AlembicFile) -> str:
    """Return the file to name in ``config_file``: the one that says the main script location."""
    in_ini = "script_location" in file.sections.get(MAIN_SECTION, {})
    in_toml = "script_location" in file.table or not file.ini.is_file()
    return _shown(folder, file.ini.with_name(TOML_NAME if in_toml and not in_ini else INI_NAME))


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


def _project_name(folder: Path) -> str | None:
    try:
        text = (folder / TOML_NAME).read_text(encoding="utf-8")
        name = tomllib.loads(text)["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) and name else None


def _refused(what: str, step: str) -> UsageError:
    return UsageError(f"{what}\n  {step}; nothing was written")
