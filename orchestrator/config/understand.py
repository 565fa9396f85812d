"""From parsed TOML to a ``Config``, or to every mistake that keeps it from being one."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config import fields
from orchestrator.config.checks.names import check
from orchestrator.config.models import Config
from orchestrator.config.problems import Path, Problem, closest
from orchestrator.config.translate import translate


def understand(raw: dict[str, Any]) -> tuple[Config | None, list[Problem]]:
    """Return the configuration, and what is wrong with it. ``None`` only with a problem."""
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        return None, [*translate(errors), *_beyond(raw, errors)]
    return config, check(config)


def _beyond(raw: dict[str, Any], errors: list[ErrorDetails]) -> list[Problem]:
    """Return what is wrong beside ``errors``, as far as it can be told in spite of them."""
    broken = [(fields.without_tags(error["loc"]), _meant(error)) for error in errors]
    try:
        config = Config.model_validate(repair(raw, broken))
    except ValidationError:
        return []
    spoilt = {widened(path) for path, _ in broken}
    return [problem for problem in check(config) if not _is_in(problem.at, spoilt)]


def _is_in(path: Path, spoilt: set[Path]) -> bool:
    return any(path[:length] in spoilt for length in range(1, len(path) + 1))


def _meant(error: ErrorDetails) -> str | None:
    if error["type"] != "extra_forbidden":
        return None
    *table, key = error["loc"]
    return closest(str(key), fields.keys(tuple(table))) or ""


# Values that pass every check by saying too little to be wrong.
_STAND_INS: dict[str, Any] = {
    "project": {"name": "-"},
    "name": "-",
    "script_location": "-",
    "url": "${env:X}",
    "schema": "${env:X}",
    "tenants": {"csv": "-"},
}
_TABLES: dict[str, Any] = {
    "databases": {"script_location": "-"},
    "environments": {"url": "${env:X}", "tenants": {"csv": "-"}},
}


def repair(raw: dict[str, Any], broken: Iterable[tuple[Path, str | None]]) -> dict[str, Any]:
    """Return ``raw`` with each broken place left out or replaced by something that says nothing.

    Each place comes with the key that was meant, where it is a misspelt one.
    """
    copy = deepcopy(raw)
    for path, meant in broken:
        if path:
            _mend(copy, widened(path), meant)
    return copy


def widened(path: Path) -> Path:
    """Return what is replaced when ``path`` is broken: lists as a whole, as they are counted."""
    if path[:1] == ("environments",):
        if path[2:3] in {("tenants",), ("requires",)}:
            return path[:3]
        # What must be in one of these may be what is missing.
        if path[2:4] in {("rollout", "window"), ("rollout", "gate")}:
            return path[:4]
    first = next((n for n, key in enumerate(path) if isinstance(key, int)), len(path))
    return path[:first]


def _mend(top: dict[str, Any], path: Path, meant: str | None) -> None:
    *parents, last = path
    table: Any = top
    for key in parents:
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        return
    is_entry = len(path) == 2 and path[0] in _TABLES
    stand_in = _TABLES[str(path[0])] if is_entry else _STAND_INS.get(str(last))
    if meant is not None:
        table.pop(last, None)
        if meant in _STAND_INS:
            table.setdefault(meant, _STAND_INS[meant])
    elif stand_in is not None:
        table[str(last)] = deepcopy(stand_in)
    else:
        table.pop(last, None)
