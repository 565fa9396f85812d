"""Findings as workflow commands of GitHub Actions, which it shows beside the lines."""

from collections.abc import Iterator, Sequence

from orchestrator.render.findings import Finding, Level
from orchestrator.render.text import count, sound

SHOWN = 10
"""Of each level, GitHub shows so many annotations of a step, and drops others without a word."""
_NAMED = 5


def annotations(findings: Sequence[Finding]) -> str:
    """Return a line for each finding; those too many of a level are told in one, its last.

    Nothing in a finding can end its line, or be another command.
    """
    lines = (_annotation(finding) for level in Level for finding in _shown(findings, level))
    return "".join(f"{line}\n" for line in lines)


def _shown(findings: Sequence[Finding], level: Level) -> Iterator[Finding]:
    of = [finding for finding in findings if finding.level is level]
    if len(of) <= SHOWN:
        yield from of
        return
    yield from of[: SHOWN - 1]
    yield _rest(of[SHOWN - 1 :])


def _rest(left: Sequence[Finding]) -> Finding:
    """Return one finding in place of many. It is at the first one's place."""
    first = left[0]
    titles = [finding.title for finding in left[:_NAMED]]
    more = [f"and {len(left) - _NAMED:,} more"] if len(left) > _NAMED else []
    message = "\n".join([*titles, *more, "-o json lists all"])
    title = f"and {count(len(left), f'more {first.level.value}')}"
    return Finding(first.rule, first.level, title, message, first.place)


def _annotation(finding: Finding) -> str:
    place = finding.place
    properties = {"file": place.path, "line": str(place.line), "title": finding.title}
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{finding.level.value} {listed}::{_data(finding.message)}"


def _data(text: str) -> str:
    return sound(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
