"""Shell completion: names from the nearest ``environments.toml``, runs from a ledger beside it.

Reads files and nothing else: no network, no secrets. Where anything is wrong it offers nothing,
because a shell has no place for a message.
"""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
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


def environments(incomplete: str) -> list[str]:
    """Complete the name of an environment."""
    return _starting(incomplete, _tables("environments"))


def databases(incomplete: str) -> list[str]:
    """Complete the name of a database."""
    return _starting(incomplete, _tables("databases"))


def runs(incomplete: str) -> list[str]:
    """Complete the number of a run, newest first, where the ledger is a file."""
    return _starting(incomplete, ("last", *_runs()))


def waves(incomplete: str) -> list[str]:
    """Complete ``environment/wave``."""
    environments = _tables("environments").items()
    found = (f"{name}/{wave}" for name, of in environments for wave in _waves(of))
    return _starting(incomplete, found)


def _runs() -> list[str]:
    import sqlite3

    prefix, url = "sqlite:///", str(_tables("project").get("ledger", _LEDGER))
    file = _path()
    if file is None or not url.startswith(prefix) or "$" in url:
        return []
    path = file.parent / url.removeprefix(prefix).partition("?")[0]
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as ledger:
            found = ledger.execute("SELECT id FROM orchestrator_runs ORDER BY id DESC LIMIT 50")
            return [str(row[0]) for row in found]
    except (sqlite3.Error, ValueError):
        return []


def _waves(environment: Any) -> Iterator[str]:
    rollout = environment.get("rollout") if isinstance(environment, dict) else None
    listed = rollout.get("waves") if isinstance(rollout, dict) else None
    for wave in listed if isinstance(listed, list) else ():
        if isinstance(wave, dict) and isinstance(wave.get("name"), str):
            yield wave["name"]
    if listed:
        yield "rest"


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
        path = _path()
        return tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _path() -> Path | None:
    here = Path.cwd()
    nearest = (folder / "environments.toml" for folder in (here, *here.parents))
    return from_environment() or next((path for path in nearest if path.is_file()), None)


_LEDGER = "sqlite:///.orchestrator/ledger.db"
