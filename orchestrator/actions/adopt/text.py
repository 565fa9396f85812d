"""The ``environments.toml`` of an adopted project."""

from collections.abc import Iterator

from orchestrator.actions.adopt.adoption import ENVIRONMENT, AdoptedDatabase, Adoption
from orchestrator.actions.adopt.flask import configure_of
from orchestrator.actions.toml_text import toml_comment, toml_key, toml_string


def environments_toml(adoption: Adoption) -> str:
    """Return the text of the file. It is valid, whatever names and URLs hold."""
    return "\n".join([*_head(adoption), *_databases(adoption), *_environment(adoption)]) + "\n"


def _head(adoption: Adoption) -> Iterator[str]:
    yield "#:schema ./environments.schema.json"
    yield ""
    yield "[project]"
    yield f"name  = {toml_string(adoption.project)}"
    yield f'order = ["{ENVIRONMENT}"] # the promotion path: order = ["{ENVIRONMENT}", "prod"]'
    yield ""


def _databases(adoption: Adoption) -> Iterator[str]:
    files = dict.fromkeys(database.source.of.config_file for database in adoption.databases)
    if named := [file for file in files if file is not None]:
        says = " and ".join(named) + (" says" if len(named) == 1 else " say")
        which = "it is" if len(named) == 1 else "they are"
        yield f"# What {says} keeps its meaning, but for the URL: {which} read again each time."
    for database in adoption.databases:
        scripts = database.source.scripts
        yield f"[databases.{toml_key(database.name)}]"
        yield toml_comment(f"script location: {scripts.location}")
        yield toml_comment(f"version locations: {', '.join(scripts.versions)}")
        yield from _aligned(_settings(database))
        yield ""


def _settings(database: AdoptedDatabase) -> Iterator[tuple[str, str]]:
    source = database.source
    if source.script_location is not None:
        yield "script_location", toml_string(source.script_location)
    if source.of.config_file is not None:
        yield "config_file", toml_string(source.of.config_file)
    if source.section is not None:
        yield "ini_section", toml_string(source.section)
    if source.env.version_table:
        yield "version_table", toml_string(source.env.version_table)
    if source.env.version_table_schema:
        yield "version_table_schema", toml_string(source.env.version_table_schema)
    if source.flask is not None:
        yield "configure", toml_string(configure_of(source.bind))
        if source.flask.python_path:
            yield "python_path", f"[{', '.join(map(toml_string, source.flask.python_path))}]"


def _environment(adoption: Adoption) -> Iterator[str]:
    first, *others = adoption.databases
    yield f"[environments.{ENVIRONMENT}]"
    yield from _url(first)
    for database in others:
        yield ""
        yield f"[environments.{ENVIRONMENT}.databases.{toml_key(database.name)}]"
        yield from _url(database)


def _url(database: AdoptedDatabase) -> Iterator[str]:
    for export in database.exports:
        yield toml_comment(f"export {export.variable}=…  ({export.source})")
    yield f"url = {toml_string(database.url)}"


def _aligned(settings: Iterator[tuple[str, str]]) -> Iterator[str]:
    pairs = list(settings)
    width = max(len(key) for key, _ in pairs)
    for key, value in pairs:
        yield f"{key:<{width}} = {value}"
