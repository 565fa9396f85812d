"""Findings as workflow commands of GitHub Actions, which it shows beside the lines."""

from collections.abc import Iterable

from orchestrator.render.findings import Finding


def annotations(findings: Iterable[Finding]) -> str:
    """Return a line for each finding. Nothing in it can end the line, or be a command."""
    return "".join(f"{_annotation(finding)}\n" for finding in findings)


def _annotation(finding: Finding) -> str:
    properties = {"file": finding.path, "line": str(finding.line), "title": finding.title}
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{finding.level.value} {listed}::{_data(finding.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
