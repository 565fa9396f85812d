"""Stand in for what is broken, so that the rest of the file can be checked all the same."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from orchestrator.config.problems import Path

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
