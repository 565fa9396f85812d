"""Results in the forms that CI systems read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.actions.drifting import DriftResult
    from orchestrator.actions.places import Places
    from orchestrator.config.load import ConfigFile
    from orchestrator.dispatch.results import Result
    from orchestrator.render.findings import Finding

Forms = Mapping[str, Callable[[], str]]
"""By the name that ``-o`` takes, what writes the result so."""


def of_result(result: "Result", file: "ConfigFile") -> Forms:
    """Return the forms of what ``check`` or ``upgrade`` came to."""
    from orchestrator.render import findings, junit

    return {
        "junit": lambda: junit.result(result),
        **_of_findings(lambda: findings.of_result(result, _places(file))),
    }


def of_drift(result: "DriftResult", file: "ConfigFile") -> Forms:
    """Return the forms of what ``drift`` found."""
    from orchestrator.render import findings, junit

    return {
        "junit": lambda: junit.drift(result),
        **_of_findings(lambda: findings.of_drift(result, _places(file))),
    }


def _of_findings(found: "Callable[[], list[Finding]]") -> Forms:
    import json

    from orchestrator.render import github
    from orchestrator.render.sarif import sarif

    return {
        "sarif": lambda: json.dumps(sarif(found()), indent=2) + "\n",
        "github": lambda: github.annotations(found()),
    }


def _places(file: "ConfigFile") -> "Places":
    from orchestrator.actions.places import Places

    return Places(file, _root(file.folder))


def _root(folder: Path) -> Path:
    """Return the root of the repository that a folder is in; else where we are."""
    above = (folder, *folder.parents)
    return next((path for path in above if (path / ".git").exists()), Path.cwd())
