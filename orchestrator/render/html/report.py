"""A run as one file that a person can mail and an auditor keep.

It has everything inside, and its policy lets a browser load and run nothing else, whatever a
tenant's name or a server's message holds.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator.ledger.records import AttemptRecord, Cell, Heads, TargetRecord
from orchestrator.render.html.environment import page
from orchestrator.render.html.looks import ALL, Look, look
from orchestrator.render.html.plan import plan_view
from orchestrator.render.html.run import FILE, run_view
from orchestrator.render.html.timeline import timeline
from orchestrator.render.text import safe
from orchestrator.rollout.outcomes import State
from orchestrator.runs.report import WholeRun
from orchestrator.version import VERSION

_STATIC = Path(__file__).parent / "static"
_CAUSE = 160
"""Characters of what went wrong that a row has; all of it is with its cause."""


@dataclass(frozen=True, slots=True)
class Line:
    """A target, as a line of a table."""

    position: int
    name: str
    look: Look
    wave: str
    before: Heads | None
    after: Heads | None
    attempts: int
    milliseconds: int | None
    """How long the last attempt took."""
    ended_at: int | None
    said: str
    """What went wrong, and what somebody decided about it."""


def report(of: WholeRun) -> str:
    """Return a run as HTML. Raises ``UsageError`` where Jinja2 is not installed."""
    run = of.report.run
    cells = [Cell(row.position, row.wave, row.name, row.state) for row in of.targets]
    lines = _lines(of)
    style, script = _asset("app.css") + _asset("report.css"), _asset("report.js")
    there = {line.look for line in lines}
    values = {
        "project": run.project,
        "version": VERSION,
        "view": run_view(of.report, cells, of.mean, FILE),
        "may": _nobody_may,
        "plan": plan_view(of.plan, run.digest),
        "level": 3,
        "timeline": timeline(run, of.paces, of.report.waves, of.report.now),
        "lines": lines,
        "looks": [one for one in dict.fromkeys(ALL) if one in there],
        "waves": list(dict.fromkeys(line.wave for line in lines)),
        "audit": of.audit,
        "style": style,
        "script": script,
        "policy": _policy(style, script),
    }
    return page("report.html", values)


def _nobody_may(role: str) -> bool:  # noqa: ARG001
    return False


def _asset(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _lines(of: WholeRun) -> Sequence[Line]:
    waves = {wave.position: wave.name for wave in of.report.waves}
    remarks: dict[str, list[str]] = {}
    for one in of.report.remarks:
        reason = f": {one.reason}" if one.reason else ""
        remarks.setdefault(one.target, []).append(f"{one.what} by {one.by}{reason}")
    return [
        _line(row, waves.get(row.wave, ""), of.ends.get(row.position), remarks.get(row.name, []))
        for row in of.targets
    ]


def _line(row: TargetRecord, wave: str, end: AttemptRecord | None, remarks: Sequence[str]) -> Line:
    before, after = row.heads, row.heads
    if end is not None:
        before = end.heads_before if before is None else before
        after = end.heads_after
    said = [*remarks]
    if row.blocked_by and row.state is State.BLOCKED:
        said.insert(0, f"waited for {row.blocked_by}")
    if end is not None and end.failure is not None:
        said.insert(0, _first(end.failure.message))
    return Line(
        position=row.position,
        name=row.name,
        look=look(row.state),
        wave=wave,
        before=before,
        after=after,
        attempts=row.attempts,
        milliseconds=None if end is None else end.milliseconds,
        ended_at=None if end is None else end.ended_at,
        said="; ".join(said),
    )


def _first(message: str) -> str:
    line = safe(message).strip().partition("\n")[0]
    return line if len(line) <= _CAUSE else f"{line[: _CAUSE - 1]}…"
