"""What an adoption tells people: what was found, and what was left out and why."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.actions.adopt.flask import HOOK
from orchestrator.actions.adopt.sources import Source, Sources
from orchestrator.config.alembic_file import INI_NAME, MAIN_SECTION, TOML_NAME

_URL = "sqlalchemy.url"
_ENGINE = "sqlalchemy."
Shown = Sequence[tuple[str, str, Source]]
"""Name, URL and source of each database."""


class Note(NamedTuple):
    """One thing that was found or left out."""

    what: str
    text: str
    """Its value, or why it was left out."""


def title(source: Source) -> str:
    """Return the section of a source, as the ini file writes it."""
    section = f"[{source.bind or source.section or MAIN_SECTION}]"
    file = source.of.config_file
    return (
        section if file in {INI_NAME, TOML_NAME} else f"{file or source.script_location} {section}"
    )


def found(sources: Sources, databases: Shown) -> Iterator[Note]:
    """Yield what was found, database by database."""
    for of in sources.configurations:
        yield Note("configuration", of.config_file or "none: env.py alone")
    before = None
    for name, url, source in databases:
        yield Note("database", name)
        if source.scripts != before:  # those of Alembic's multidb template share theirs
            yield Note("script location", source.scripts.location)
            yield Note("version locations", ", ".join(source.scripts.versions))
            yield Note("revisions", str(source.scripts.revisions))
        before = source.scripts
        if source.flask is not None and source.bind is None:
            yield Note("flask application", source.flask.import_path or "what FLASK_APP names")
            yield Note("configure", f"{HOOK}.py, which pushes the application's context")
        yield Note("url", url)
        if source.env.version_table:
            yield Note("version table", source.env.version_table)
        if source.env.version_table_schema:
            yield Note("its schema", source.env.version_table_schema)


def left_out(sources: Sources, databases: Shown, exports: Sequence[str]) -> Iterator[Note]:
    """Yield what was left out of the databases that were found."""
    yield from (Note(path, "there is one in this folder already") for path in sources.others)
    yield from dict.fromkeys(_of_databases(databases, exports))
    yield from _engine_options(databases)
    yield from _other_urls(sources)


def _of_databases(databases: Shown, exports: Sequence[str]) -> Iterator[Note]:
    for name, url, source in databases:
        if not url.startswith("${") and "${env:" in url:
            yield Note(f"the password of {name}", "it comes from the environment")
        for variable in source.env.variables:
            if variable not in exports:
                yield Note(variable, "env.py reads it; here the url counts")
        if source.scripts.unread:
            number = sum(number for _, number in source.scripts.unread)
            folders = ", ".join(path for path, _ in source.scripts.unread)
            yield Note(
                f"{number} revisions in sub-folders",
                f"{folders}: they are not read; set recursive_version_locations = true, or "
                "version_locations",
            )
        if source.flask is not None and source.flask.import_path is None:
            yield Note("FLASK_APP", "the application could not be found: export what it is")
        if source.env.flaw:
            yield Note("env.py", f"{source.env.flaw}, so nothing was taken from it")


def _engine_options(databases: Shown) -> Iterator[Note]:
    """Yield the options beside the URL, in one note."""
    of_all = [
        option
        for _, _, source in databases
        for option in source.of.sections.sections.get(source.url_section, {})
    ]
    options = dict.fromkeys(o for o in of_all if o.startswith(_ENGINE) and o != _URL)
    if options:
        yield Note(", ".join(options), "the engine is the orchestrator's own")


def _other_urls(sources: Sources) -> Iterator[Note]:
    """Yield sections whose URL no database has."""
    for of in sources.configurations:
        used = {source.url_section for source in sources.databases if source.of is of}
        for section, option in of.lines:
            if option == _URL and section == MAIN_SECTION and section not in used:
                yield Note(f"[{section}] {_URL}", "those that 'databases' lists have their own")
            elif option == _URL and section not in {*used, "DEFAULT"}:
                yield Note(f"[{section}] {_URL}", "no script_location, and not in 'databases'")
