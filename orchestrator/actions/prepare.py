"""From selectors to targets that can be worked on: everything that is checked before anything
is touched."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.actions.drivers import check_drivers
from orchestrator.config.alembic_file import AlembicFileError, script_location
from orchestrator.config.load import ConfigFile
from orchestrator.config.models import Config
from orchestrator.config.problems import Problem, Problems
from orchestrator.config.secrets import Secrets
from orchestrator.config.template import Secret
from orchestrator.errors import UsageError
from orchestrator.fleet.arguments import x_secrets
from orchestrator.fleet.collisions import version_table_of
from orchestrator.fleet.expand import expand
from orchestrator.fleet.labels import TenantLabels
from orchestrator.fleet.location import Location
from orchestrator.fleet.order import ordered
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


def make_ready(config: Config, targets: Sequence[Target], secrets: Secrets) -> None:
    """Check that targets can be connected to as far as that can be told without connecting.

    All secrets are there; their drivers are installed; no two of them are one database, with one
    version table, once secrets and symbolic links are resolved. Raises ``SecretError`` or
    ``UsageError``.
    """
    secrets.missing({target.name: _secrets_of(config, target) for target in targets})
    seen: dict[tuple[str, str], str] = {}
    drivers = set()
    for target in targets:
        location = _located(target, secrets)
        drivers.add(location.driver)
        key = _real(location).identity, version_table_of(config, target)
        if key in seen:
            raise UsageError(
                f"{seen[key]} and {target.name} are one physical database\n"
                "  give each a URL (or a schema) of its own in environments.toml"
            )
        seen[key] = target.name
    check_drivers(drivers)


def _secrets_of(config: Config, target: Target) -> tuple[Secret, ...]:
    try:
        return (*target.address.secrets, *x_secrets(config, target))
    except ValueError as error:
        raise UsageError(str(error)) from None


def _located(target: Target, secrets: Secrets) -> Location:
    try:
        return target.address.resolve(secrets.value)
    except ValueError as error:
        raise UsageError(f"{target.name}: {error}") from None


def _real(location: Location) -> Location:
    if location.backend != "sqlite" or location.database is None:
        return location
    return replace(location, database=os.path.realpath(location.database))
