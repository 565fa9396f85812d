"""Shell completion: names from the nearest ``environments.toml``.

Reads that one file and nothing else: no network, no secrets, no query. Where anything is wrong it
offers nothing, because a shell has no place for a message.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.cli.invocation import from_environment


def selectors(incomplete: str) -> list[str]:
    """Complete ``environment``, then ``/database``, then ``/tenant``."""
    environments, names = _tables("environments"), ["*", *_tables("databases")]
    parts = incomplete.split("/")
    if len(parts) == 1:
        return _starting(incomplete, environments)
    if len(parts) == 2:
        return _starting(incomplete, (f"{parts[0]}/{name}" for name in names))
    chosen = environments.values() if parts[0] == "*" else [environments.get(parts[0])]
    tenants = (tenant for table in chosen for tenant in _tenants(table))
    return _starting(incomplete, (f"{parts[0]}/{parts[1]}/{tenant}" for tenant in tenants))


def databases(incomplete: str) -> list[str]:
    """Complete the name of a database."""
    return _starting(incomplete, _tables("databases"))


def _starting(incomplete: str, names: Any) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _tables(key: str) -> Mapping[str, Any]:
    tables = _file().get(key)
    return tables if isinstance(tables, dict) else {}


def _tenants(environment: Any) -> Iterator[str]:
    listed = environment.get("tenants") if isinstance(environment, dict) else None
    for tenant in listed if isinstance(listed, list) else ():
        name = tenant.get("name") if isinstance(tenant, dict) else tenant
        if isinstance(name, str):
            yield name


def _file() -> Mapping[str, Any]:
    try:
        here = Path.cwd()
        nearest = (folder / "environments.toml" for folder in (here, *here.parents))
        path = from_environment() or next((path for path in nearest if path.is_file()), None)
        return tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError, RecursionError):
        return {}
