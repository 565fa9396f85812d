"""The SQL of an upgrade, one file per target."""

from dataclasses import replace
from pathlib import Path

from orchestrator.actions.results import Result, SqlFiles


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
