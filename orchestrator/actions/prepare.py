"""From selectors to targets that can be worked on: everything that is checked before anything
is touched."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.config.alembic_file import AlembicFileError, script_location
from orchestrator.config.load import ConfigFile
from orchestrator.config.models import Config
from orchestrator.config.problems import Problem, Problems
from orchestrator.fleet.expand import expand
from orchestrator.fleet.labels import TenantLabels
from orchestrator.fleet.ordering import ordered
from orchestrator.fleet.selectors import Selector, environments_needed, select
from orchestrator.fleet.target import Target


def find_targets(
    file: ConfigFile,
    tenants_of: Callable[[str], Sequence[TenantLabels]],
    selectors: Sequence[str],
    where: Mapping[str, str],
    exclude: Sequence[str],
) -> tuple[Target, ...]:
    """Return the selected targets, in configured order.

    Only environments that the selectors can match are asked for their tenants. Raises
    ``ConfigError``, ``UsageError``, ``SecretError`` or ``TargetsFailed``.
    """
    config, folder = file.config, file.folder
    parsed = [Selector.parse(text) for text in selectors]
    excluded = [Selector.parse(text) for text in exclude]
    try:
        needed = environments_needed(parsed, config)
        # What is listed in the file costs nothing, and is checked with every command: two
        # environments that share a database must not be found out by the first that comes along.
        read = [name for name in config.environments if name in needed or _listed(config, name)]
        targets = expand(config, folder, {name: tenants_of(name) for name in read})
    except Problems as error:
        raise file.error(error.problems) from None
    in_question = [target for target in targets if target.environment in needed]
    chosen = select(ordered(in_question, config), parsed, where, excluded)
    check_scripts(file, {target.database for target in chosen})
    return chosen


def check_scripts(file: ConfigFile, databases: Iterable[str]) -> None:
    """Raise ``ConfigError`` for databases whose script location is no Alembic environment."""
    problems = []
    for name in sorted(databases):
        database = file.config.databases[name]
        try:
            location, folder, at = script_location(database, file.folder)
        except AlembicFileError as error:
            key = "config_file" if database.ini_section is None else "ini_section"
            problems.append(Problem(("databases", name, key), str(error)))
            continue
        # Path.is_file raises where a folder may not be looked into.
        script = folder / location / "env.py"
        if ":" not in location and not os.path.isfile(script):  # noqa: PTH113 - Path's may raise
            hint = (
                "name the folder that holds env.py and versions/, relative to this file"
                if at == "script_location"
                else "its script_location starts at its own folder; or say script_location here"
            )
            message = f"there is no '{location}/env.py'"
            problems.append(Problem(("databases", name, at), message, hint))
    if problems:
        raise file.error(problems)


def _listed(config: Config, environment: str) -> bool:
    return isinstance(config.environments[environment].tenants, tuple)
