"""Configurations and targets for the tests of this room."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.config.models import Config
from orchestrator.config.problems import Problems
from orchestrator.config.template import Secret
from orchestrator.fleet.address import Address, AddressTemplate, Location
from orchestrator.fleet.expand import expand
from orchestrator.fleet.target import Target

FOLDER = Path("/srv/shop")


def make_config(
    databases: Mapping[str, Sequence[str]] | None = None,
    order: Sequence[str] | None = None,
    **environments: Any,
) -> Config:
    """Databases by name with what they are ``after``; environments as in the file."""
    named = databases if databases is not None else {"catalog": (), "orders": ("catalog",)}
    return Config.model_validate(
        {
            "project": {"name": "shop"} | ({} if order is None else {"order": list(order)}),
            "databases": {
                name: {"script_location": name, "after": list(after)}
                for name, after in named.items()
            },
            "environments": environments,
        }
    )


def rows(*names: str, **labels: str) -> list[dict[str, str]]:
    return [{"name": name, **labels} for name in names]


def targets_of(config: Config, **tenants: Sequence[Mapping[str, str]]) -> tuple[Target, ...]:
    return expand(config, FOLDER, tenants)


def problems_of(config: Config, **tenants: Sequence[Mapping[str, str]]) -> list[str]:
    """Each problem as ``place: message (hint)``."""
    try:
        expand(config, FOLDER, tenants)
    except Problems as problems:
        return [
            f"{'.'.join(map(str, p.at))}: {p.message}" + (f" ({p.hint})" if p.hint else "")
            for p in problems.problems
        ]
    return []


def address(url: str, schema: str | None = None, **labels: str) -> Address:
    return AddressTemplate.parse(url, schema, FOLDER).fill(labels)


def location(
    url: str, schema: str | None = None, secrets: Mapping[str, str] | None = None, **labels: str
) -> Location:
    def value(secret: Secret) -> str:
        return (secrets or {})[secret.name]

    return address(url, schema, **labels).resolve(value)


def names(targets: Sequence[Target]) -> list[str]:
    return [target.name for target in targets]
