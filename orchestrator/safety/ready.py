"""Whether targets can be worked on, as far as that can be told before anything is touched."""

import os
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.config.models import Config
from orchestrator.config.secrets import Secrets
from orchestrator.config.template import Secret
from orchestrator.errors import UsageError
from orchestrator.fleet.arguments import x_secrets
from orchestrator.fleet.collisions import version_table_of
from orchestrator.fleet.location import Location
from orchestrator.fleet.target import Target
from orchestrator.safety.drivers import check_drivers


def make_ready(config: Config, targets: Sequence[Target], secrets: Secrets) -> None:
    """Check that targets can be connected to as far as that can be told without connecting.

    All secrets are there; their drivers are installed; no two of them are one database, with one
    version table, once secrets and symbolic links are resolved. Raises ``SecretError`` or
    ``UsageError``. On a cluster its workers alone have what that takes, and tell.
    """
    needed = {target.name: _secrets_of(config, target) for target in targets}
    if config.engine.kind == "dask":
        return
    secrets.missing(needed)
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
