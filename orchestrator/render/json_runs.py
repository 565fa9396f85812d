"""Plans and runs as JSON, described in ``docs/json.md``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.ledger.records import AttemptRecord, RunRecord, WaveRecord
from orchestrator.render.json import Object, counts, failure, outcome
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.plan import Plan
from orchestrator.rollout.times import iso
from orchestrator.runs.planning.preview import Planned
from orchestrator.runs.report import RunReport, Trouble
from orchestrator.runs.requests import Done
from orchestrator.runs.rollback import Rollback


def plan(of: Planned, out: Path | None, *, debug: bool = False) -> Object:
    """Return the answer of ``plan``."""
    return {
        "command": "plan",
        "exit_code": of.exit_code,
        "interrupted": of.interrupted,
        "seconds": of.took,
        "warnings": list(of.warnings),
        "file": None if out is None else str(out),
        **_plan(of.plan, of.seconds),
        "unread": [outcome(one, debug=debug) for one in of.unread],
    }


def rollback(of: Rollback) -> Object:
    """Return the answer of ``rollback --dry-run``."""
    return {
        "command": "rollback",
        **_plan(of.plan, {}),
        "run": of.plan.parent,
        "moved": list(of.moved),
    }


def _plan(of: Plan, seconds: Mapping[int, float | None]) -> Object:
    busy = Counter(target.wave for target in of.busy)
    return {
        "project": of.project,
        "verb": of.verb,
        "revision": of.revision,
        "digest": of.digest,
        "program": of.program,
        "alembic": of.alembic,
        "notes": list(of.notes),
        "summary": {
            "targets": len(of.targets),
            "busy": sum(busy.values()),
            "environments": Counter(target.environment for target in of.busy),
            "estimate": _total(of, seconds),
        },
        "rollouts": dict(of.rollouts),
        "revisions": [
            {
                "database": database,
                "id": revision.id,
                "message": revision.message,
                "sha256": revision.sha256,
                "reversible": revision.reversible,
            }
            for database, revisions in of.revisions.items()
            for revision in revisions.values()
        ],
        "waves": [
            {
                "name": wave.name,
                "environment": wave.environment,
                "targets": wave.targets,
                "busy": busy[at],
                "budget": wave.budget,
                "max_parallel": wave.max_parallel,
                "max_per_server": wave.max_per_server,
                "entry": list(wave.entry),
                "gate": list(wave.gate),
                "estimate": seconds.get(at),
            }
            for at, wave in enumerate(of.waves)
        ],
        "targets": [
            {
                "name": target.name,
                "environment": target.environment,
                "database": target.database,
                "server": target.server,
                "url": target.place,
                "wave": of.waves[target.wave].name,
                "heads": None if target.heads is None else list(target.heads),
                "goal": None if target.goal is None else list(target.goal),
                "schema_class": target.schema_class,
                "revisions": list(target.revisions),
            }
            for target in of.targets
        ],
    }


def _total(of: Plan, seconds: Mapping[int, float | None]) -> float | None:
    known = [seconds.get(at) for at in range(len(of.waves))]
    found = [value for value in known if value is not None]
    return sum(found) if len(found) == len(known) else None


def runs(of: Sequence[RunRecord]) -> Object:
    """Return the answer of ``runs``."""
    return {"command": "runs", "runs": [_run(run) for run in of]}


def done(command: str, of: Done) -> Object:
    """Return the answer of ``pause``, ``abort``, ``approve`` and ``skip``."""
    return {"command": command, "run": of.run, "text": of.text}


def run_report(of: RunReport, *, debug: bool = False) -> Object:
    """Return the answer of ``show``."""
    names = {wave.position: wave.name for wave in of.waves}
    return {
        "command": "show",
        "run": _run(of.run),
        "waves": [_wave(wave) for wave in of.waves],
        "gates": [
            {
                "wave": names.get(gate.wave),
                "kind": gate.kind.value,
                "state": gate.state,
                "detail": gate.detail,
                "at": iso(gate.at),
                "tries": gate.tries,
            }
            for gate in of.gates
        ],
        "approvals": [
            {"wave": names.get(one.wave), "by": one.by, "note": one.note, "at": iso(one.at)}
            for one in of.approvals
        ],
        "overrides": [
            {
                "wave": names.get(one.wave),
                "kind": one.kind.value,
                "by": one.by,
                "reason": one.reason,
                "at": iso(one.at),
            }
            for one in of.overrides
        ],
        "remarks": [
            {
                "name": one.target,
                "what": one.what,
                "by": one.by,
                "reason": one.reason,
                "at": iso(one.at),
            }
            for one in of.remarks
        ],
        "troubles": [_trouble(one, debug=debug) for one in of.troubles],
        "open": [_attempt(one, debug=debug) for one in of.open],
        "slowest": [_attempt(one, debug=debug) for one in of.slowest],
    }


def _run(of: RunRecord) -> Object:
    pending = of.tally.get(None, 0)
    return {
        "id": of.id,
        "project": of.project,
        "verb": of.verb,
        "revision": of.revision,
        "state": of.state.value,
        "reason": of.reason,
        "until": iso(of.waits_until),
        "by": of.by,
        "stopped_by": of.stopped_by,
        "created_at": iso(of.created_at),
        "started_at": iso(of.started_at),
        "ended_at": iso(of.ended_at),
        "parent": of.parent,
        "digest": of.digest,
        "targets": of.total,
        "states": counts({state: n for state, n in of.tally.items() if state is not None}),
        "pending": pending,
        "holder": of.holder,
        "heartbeat_at": iso(of.heartbeat_at),
        "request": of.request,
        "request_by": of.request_by,
    }


def _wave(of: WaveRecord) -> Object:
    return {
        "name": of.name,
        "environment": of.environment,
        "state": of.state.value,
        "targets": of.total,
        "failed": of.failed,
        "budget": of.budget,
        "started_at": iso(of.started_at),
        "ended_at": iso(of.ended_at),
    }


def _trouble(of: Trouble, *, debug: bool) -> Object:
    return {
        "name": of.target.name,
        "state": State(of.target.state or State.FAILED).value,
        "doubt": of.target.doubt,
        "attempt": None if of.attempt is None else _attempt(of.attempt, debug=debug),
    }


def _attempt(of: AttemptRecord, *, debug: bool) -> Object:
    return {
        "name": of.target,
        "number": of.number,
        "state": None if of.state is None else str(of.state),
        "started_at": iso(of.started_at),
        "ended_at": iso(of.ended_at),
        "seconds": None if of.milliseconds is None else of.milliseconds / 1000,
        "heads_before": None if of.heads_before is None else list(of.heads_before),
        "heads": None if of.heads_after is None else list(of.heads_after),
        "revisions": list(of.revisions),
        "committing": [
            {
                "revision": one.revision,
                "statement": one.statement,
                "following": list(one.following),
            }
            for one in of.committing
        ],
        "failure": None if of.failure is None else failure(of.failure, debug=debug),
    }
