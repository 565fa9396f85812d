"""The SQL of an upgrade, one file per target."""

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.dispatch.results import Result


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """The files that ``upgrade --sql`` wrote, by target, and the targets it could not read."""

    result: Result
    files: dict[str, str]


def write_sql_files(folder: Path, result: Result) -> SqlFiles:
    """Write ``environment/database/tenant.sql`` below ``folder`` for each target that has SQL."""
    files = {}
    for outcome in result.outcomes:
        if isinstance(outcome.data, str):
            path = folder / f"{outcome.target}.sql"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(outcome.data, encoding="utf-8")
            files[outcome.target] = str(path)
    bare = tuple(replace(outcome, data=None) for outcome in result.outcomes)
    return SqlFiles(replace(result, outcomes=bare), files)
