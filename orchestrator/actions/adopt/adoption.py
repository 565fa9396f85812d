"""Adopt an existing Alembic project: decide what its ``environments.toml`` says. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions.adopt.notes import Note, found, left_out, title
from orchestrator.actions.adopt.sources import Source, Sources
from orchestrator.actions.adopt.urls import NoUrlError, Password, Url, adopt_url
from orchestrator.config.alembic_file import AlembicFileError
from orchestrator.config.names import LONGEST_NAME
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.version_table import VersionTable

ENVIRONMENT = "dev"
_GENERIC = frozenset({"migrations", "alembic", "src", "db", "database", "app", "backend"})
"""Names of folders that say nothing of whose scripts are in them."""
URL_OPTION = "sqlalchemy.url"


@dataclass(frozen=True, slots=True)
class Export:
    """A variable that must be set before a database can be reached."""

    variable: str
    source: str
    """Where its value is to be found."""


@dataclass(frozen=True, slots=True)
class AdoptedDatabase:
    """A table ``[databases.NAME]``, and where it is in the environment."""

    name: str
    source: Source
    url: str
    exports: tuple[Export, ...]


@dataclass(frozen=True, slots=True)
class Adoption:
    """What ``environments.toml`` is to say, and what people are to know of it.

    No secret is in it.
    """

    config_file: str
    """What was adopted: ``alembic.ini``, or the folder of an ``env.py``."""
    project: str
    databases: tuple[AdoptedDatabase, ...]
    found: tuple[Note, ...]
    left_out: tuple[Note, ...]

    @property
    def exports(self) -> tuple[Export, ...]:
        """What to export, each variable once."""
        every = (export for database in self.databases for export in database.exports)
        return tuple({export.variable: export for export in every}.values())


def adopt(sources: Sources) -> Adoption:
    """Decide what ``environments.toml`` is to say. Equal sources give an equal answer."""
    desk = _Desk(sources)
    databases = tuple(desk.databases())
    shown = tuple((database.name, database.url, database.source) for database in databases)
    exports = [export.variable for database in databases for export in database.exports]
    first = sources.databases[0]
    return Adoption(
        first.of.config_file or first.script_location or "",
        sources.project,
        databases,
        tuple(found(sources, shown)),
        (*desk.notes, *left_out(sources, shown, exports)),
    )


class _Desk:
    """Takes one database after another, and notes those that are none of their own."""

    def __init__(self, sources: Sources) -> None:
        self.notes: list[Note] = []
        self._sources = sources
        self._histories = list(self._unlike(sources.databases))
        self._several = len(self._histories) > 1
        self._names: set[str] = set()
        self._variables: set[str] = set()

    def databases(self) -> Iterator[AdoptedDatabase]:
        """Yield what each history becomes. Two of them can't be in one physical database."""
        places: dict[tuple[str, str], Source] = {}
        for source in self._histories:
            database = self._database(source)
            table = source.env.version_table or VersionTable().name
            place = (_identity(database, self._sources.folder), table.lower())
            first = places.setdefault(place, source)
            if first is source:
                yield database
            else:
                self.notes.append(Note(title(source), f"it shares the database of {title(first)}"))

    def _unlike(self, sources: tuple[Source, ...]) -> Iterator[Source]:
        """Yield the first source of each history."""
        seen: dict[tuple[object, ...], Source] = {}
        for source in sources:
            first = seen.setdefault(_history(source), source)
            if first is source:
                yield source
            else:
                why = f"the scripts of {title(first)}: make it an environment of its own"
                self.notes.append(Note(title(source), why))

    def _database(self, source: Source) -> AdoptedDatabase:
        known = source.bind or source.section or self._folder_name(source)
        name = _free(_name(known or self._sources.project), self._names, "-")
        place = source.of.place(source.url_section, URL_OPTION)
        url = self._url(source, name, place)
        if isinstance(url, str):
            variable = self._url_variable(source, name)
            why = "env.py reads it, too" if variable in source.env.variables else url
            exports: tuple[Export, ...] = (Export(variable, f"the URL; {why}"),)
            return AdoptedDatabase(name, source, f"${{env:{variable}}}", exports)
        exports = tuple(Export(each.variable, _where(each, place)) for each in url.passwords)
        return AdoptedDatabase(name, source, url.text, exports)

    def _folder_name(self, source: Source) -> str:
        """Return what tells a configuration from others: the folder that it is in."""
        if len(self._sources.configurations) == 1:
            return ""
        path = Path(source.of.config_file or f"{source.script_location}/env.py").parent
        return next((part for part in reversed(path.parts) if part not in _GENERIC), "")

    def _url(self, source: Source, name: str, place: str) -> Url | str:
        """Return the URL, or in a few words why there is none."""
        section = source.url_section
        prefix = f"{ENVIRONMENT}_{name}" if self._several else ENVIRONMENT

        def variable(key: str) -> str:
            return _free(_variable(f"{prefix}_{key}"), self._variables, "_")

        try:
            own = None if section == source.file.section else section
            text = source.file.option(URL_OPTION, own)
            if not text:
                return "env.py decides it by itself"
            url = adopt_url(text, self._sources.folder, variable, source.file.folder)
            return f"{place} is a placeholder" if url is None else url
        except NoUrlError as error:
            why = str(error)
        except AlembicFileError:
            why = "a % in it names nothing, or is not doubled"
        self.notes.append(Note(f"[{section}] {URL_OPTION}", why))
        return f"{place} can't be used"

    def _url_variable(self, source: Source, name: str) -> str:
        """Return the variable for a whole URL, one that ``env.py`` reads where it can be told."""
        known, default = source.env.variables, "DATABASE_URL"
        if self._several:
            known = tuple(each for each in known if _variable(name) in each.upper())
            default = _variable(f"{ENVIRONMENT}_{name}_URL")
        return _free(next(iter(known), default), self._variables, "_")


def _identity(database: AdoptedDatabase, folder: Path) -> str:
    labels = {"environment": ENVIRONMENT, "database": database.name}
    return AddressTemplate.parse(database.url, None, folder).fill(labels).identity


def _history(source: Source) -> tuple[object, ...]:
    """Return what two names of one history have in common."""
    listed = source.url_section != source.file.section
    section = source.section if listed else None
    return source.scripts.folder, source.scripts.versions, section, source.bind


def _where(password: Password, place: str) -> str:
    """Say where a password is. An ini file doubles each percent sign."""
    doubled = " line " in place
    if not password.quoted and not (doubled and "%" in password.value):
        return place
    return f"{place}; decoded: {'%%40' if doubled else '%40'} is @"


def _name(text: str) -> str:
    """Return a text as the name of a database."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:LONGEST_NAME] or "app"


def _variable(text: str) -> str:
    return re.sub(r"\W", "_", text, flags=re.ASCII).upper()


def _free(name: str, taken: set[str], between: str) -> str:
    """Return a name that is not taken yet, and take it."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}{between}{number}"
    taken.add(free)
    return free
