"""What an adoption tells people: what was found, and what was left out and why."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.actions.adopt.sources import Source, Sources
from orchestrator.config.alembic_file import MAIN_SECTION

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
    return f"[{source.section or MAIN_SECTION}]"


def found(sources: Sources, databases: Shown) -> Iterator[Note]:
    """Yield what was found, database by database."""
    yield Note("configuration", sources.config_file)
    before = None
    for name, url, source in databases:
        yield Note("database", name)
        if source.scripts != before:  # those of Alembic's multidb template share theirs
            yield Note("script location", source.scripts.location)
            yield Note("version locations", ", ".join(source.scripts.versions))
            yield Note("revisions", str(source.scripts.revisions))
        before = source.scripts
        yield Note("url", url)
        if source.env.version_table:
            yield Note("version table", source.env.version_table)
        if source.env.version_table_schema:
            yield Note("its schema", source.env.version_table_schema)


def left_out(sources: Sources, databases: Shown, exports: Sequence[str]) -> Iterator[Note]:
    """Yield what was left out of the databases that were found."""
    yield from dict.fromkeys(_of_databases(databases, exports))
    yield from _engine_options(sources, databases)
    yield from _other_urls(sources)


def _of_databases(databases: Shown, exports: Sequence[str]) -> Iterator[Note]:
    for name, url, source in databases:
        if not url.startswith("${") and "${env:" in url:
            yield Note(f"the password of {name}", "it comes from the environment")
        for variable in source.env.variables:
            if variable not in exports:
                yield Note(variable, "env.py reads it; here the url counts")
        if source.env.flaw:
            yield Note("env.py", f"{source.env.flaw}, so nothing was taken from it")


def _engine_options(sources: Sources, databases: Shown) -> Iterator[Note]:
    """Yield the options beside the URL, in one note."""
    given = sources.sections.sections
    of_all = [option for _, _, source in databases for option in given.get(source.url_section, {})]
    options = dict.fromkeys(o for o in of_all if o.startswith(_ENGINE) and o != _URL)
    if options:
        yield Note(", ".join(options), "the engine is the orchestrator's own")


def _other_urls(sources: Sources) -> Iterator[Note]:
    """Yield sections whose URL no database has."""
    used = {source.url_section for source in sources.databases}
    for section, option in sources.lines:
        if option == _URL and section == MAIN_SECTION and section not in used:
            yield Note(f"[{section}] {_URL}", "those that 'databases' lists have their own")
        elif option == _URL and section not in {*used, "DEFAULT"}:
            yield Note(f"[{section}] {_URL}", "no script_location, and not in 'databases'")
