"""Results in the forms that CI systems and pull requests have, besides text and JSON."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.actions.drifting import DriftResult
    from orchestrator.actions.project import Project
    from orchestrator.dispatch.results import Result
    from orchestrator.render.findings import Finding
    from orchestrator.runs.planning.preview import Planned
    from orchestrator.runs.report import RunReport

Forms = Mapping[str, Callable[[], str]]
"""By the name that ``-o`` takes, what writes the result so."""
_MISTAKE = re.compile(r"^(?P<path>[^\s:][^:\n]*):(?P<line>\d+):\d+: ", re.MULTILINE)
"""Where the message of a ``ConfigError`` begins with the next mistake."""


def of_result(project: "Project", result: "Result", revision: str = "") -> Forms:
    """Return the forms of what ``check`` or ``upgrade`` came to."""
    from orchestrator.render import check, findings, junit, markdown, upgrade

    def page() -> str:
        if result.verb == "check":
            return markdown.page("check", check.report(result))
        return markdown.page(result.verb, upgrade.report(result, revision))

    def found() -> "list[Finding]":
        pairs = zip(result.targets, result.outcomes, strict=True)
        return findings.of_result(result, project.places(pairs))

    return {
        "markdown": page,
        "junit": lambda: junit.result(result),
        **_of_findings(found, result.exit_code),
    }


def of_drift(project: "Project", result: "DriftResult") -> Forms:
    """Return the forms of what ``drift`` found."""
    from orchestrator.render import drift, findings, junit, markdown

    return {
        "markdown": lambda: markdown.page("drift", drift.report(result)),
        "junit": lambda: junit.drift(result),
        **_of_findings(
            lambda: findings.of_drift(result, project.places(result.unreadable)), result.exit_code
        ),
    }


def of_plan(planned: "Planned", out: Path | None) -> Forms:
    """Return the forms of what a run would do."""
    from orchestrator.render import markdown, plan

    last = 1 if out is None else 2
    return {"markdown": lambda: markdown.page("plan", plan.report(planned, out), last)}


def of_run(report: "RunReport") -> Forms:
    """Return the forms of what happened in a run."""
    from orchestrator.render import markdown, run_report

    return {"markdown": lambda: markdown.page("show", run_report.report(report))}


def of_error(message: str, exit_code: int, *, in_file: bool) -> Forms:
    """Return the forms of what kept a command from giving any answer.

    ``in_file``: the message is of mistakes in ``environments.toml``, each with its place.
    """
    from orchestrator.render import junit, markdown

    return {
        "markdown": lambda: markdown.error(message),
        "junit": lambda: junit.error(message),
        **_of_findings(lambda: list(_mistakes(message, in_file=in_file)), exit_code),
    }


def _of_findings(found: "Callable[[], list[Finding]]", exit_code: int) -> Forms:
    from orchestrator.render import github, sarif

    return {
        "sarif": lambda: sarif.log(found(), exit_code=exit_code),
        "github": lambda: github.annotations(found()),
    }


def _mistakes(message: str, *, in_file: bool) -> "Iterator[Finding]":
    from orchestrator.actions.places import place_of
    from orchestrator.config.load import FILE_NAME
    from orchestrator.render.findings import of_error

    starts = list(_MISTAKE.finditer(message)) if in_file else []
    if not starts:
        yield of_error(place_of(Path(FILE_NAME), 1), message)
    ends = [start.start() for start in starts[1:]] + [len(message)] * bool(starts)
    for start, end in zip(starts, ends, strict=True):
        place = place_of(Path(start["path"]), int(start["line"]))
        yield of_error(place, message[start.end() : end].rstrip())
