"""Results as JSON: one object per command, described in ``docs/json.md``.

Every key is always there, so that a program need not ask; keys are only ever added.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.actions.authoring import NewRevision
from orchestrator.actions.doctor.checks import Diagnosis
from orchestrator.actions.drifting import DriftResult
from orchestrator.actions.histories import History
from orchestrator.actions.identifying import IdentifyResult
from orchestrator.actions.sqlfiles import SqlFiles
from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.fleet.drift import Drift
from orchestrator.fleet.target import Target
from orchestrator.render.drift import line
from orchestrator.render.text import labels
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, Revision, State
from orchestrator.rollout.times import iso
from orchestrator.snapshot.classes import SchemaClass, schema_classes

if TYPE_CHECKING:
    from orchestrator.actions.adopt.adoption import Adoption
    from orchestrator.actions.init import InitResult
    from orchestrator.config.models import Config

Object = dict[str, Any]


def targets(found: Sequence[Target]) -> Object:
    """Return the answer of ``targets``."""
    summary = {
        "targets": len(found),
        "environments": Counter(target.environment for target in found),
        "databases": Counter(target.database for target in found),
        "servers": Counter(target.server for target in found),
    }
    return {"command": "targets", "summary": summary, "targets": [_target(t) for t in found]}


def result(of: Result, *, debug: bool = False) -> Object:
    """Return the answer of ``status``, ``check``, ``upgrade``, ``downgrade`` and ``stamp``."""
    return {
        "command": of.verb,
        "exit_code": of.exit_code,
        "dry_run": of.dry_run,
        "interrupted": of.interrupted,
        "seconds": round(of.seconds, 3),
        "warnings": list(of.warnings),
        "run": None if of.run is None else _run(of.run),
        "summary": _summary(of),
        "targets": _outcomes(of, debug=debug),
    }


def _run(of: RunEnd) -> Object:
    return {
        "id": of.id,
        "state": of.state.value,
        "reason": of.reason or None,
        "until": iso(of.until),
        "appeared": list(of.appeared),
        "vanished": list(of.vanished),
    }


def doctor(of: Diagnosis) -> Object:
    """Return the answer of ``doctor``."""
    return {
        "command": "doctor",
        "exit_code": of.exit_code,
        "interrupted": of.interrupted,
        "seconds": round(of.seconds, 3),
        "checks": [
            {
                "about": check.about,
                "what": check.what,
                "verdict": check.verdict.value,
                "text": check.text,
                "next_step": check.next_step,
                "names": list(check.names),
            }
            for check in of.checks
        ],
    }


def identify(of: IdentifyResult, *, debug: bool = False) -> Object:
    """Return the answer of ``identify``."""
    return {
        "command": "identify",
        "exit_code": of.exit_code,
        "interrupted": of.interrupted,
        "seconds": round(of.seconds, 3),
        "warnings": list(of.warnings),
        "targets": [
            {
                **_target(one.target),
                **outcome(one.outcome, debug=debug),
                "fits": [list(heads) for heads in one.fits],
                "by": one.by or None,
                "nearest": None if one.nearest is None else list(one.nearest),
                "drift": [_drift(found) for found in one.differences],
                "note": one.note or None,
            }
            for one in of.identities
        ],
    }


def drift(of: DriftResult, *, debug: bool = False) -> Object:
    """Return the answer of ``drift``."""
    return {
        "command": "drift",
        "exit_code": of.exit_code,
        "interrupted": of.interrupted,
        "seconds": round(of.seconds, 3),
        "warnings": list(of.warnings),
        "summary": {
            "targets": len(of.targets),
            "classes": sum(len(kin.classes) for kin in of.kin),
            "differing": sum(len(d.of.members) for kin in of.kin for d in kin.deviations),
            "unreadable": len(of.unreadable),
        },
        "databases": [
            {
                "database": kin.baseline.database,
                "dialect": kin.baseline.dialect,
                "heads": list(kin.baseline.heads),
                "baseline": _class(kin.baseline),
                "classes": [
                    {
                        **_class(deviation.of),
                        "differences": [_drift(found) for found in deviation.differences],
                        "failure": deviation.failure,
                    }
                    for deviation in kin.deviations
                ],
            }
            for kin in of.kin
        ],
        "unreadable": [{**_target(t), **outcome(o, debug=debug)} for t, o in of.unreadable],
    }


def _class(of: SchemaClass) -> Object:
    return {"fingerprint": of.fingerprint, "targets": [member.name for member in of.members]}


def _drift(of: Drift) -> Object:
    return {
        "change": of.change.value,
        "kind": of.kind,
        "schema": of.schema or None,
        "table": of.table or None,
        "name": of.name or None,
        "detail": of.detail or None,
        "value": of.value,
        "baseline": of.baseline,
        "text": line(of),
    }


def sql(of: SqlFiles, *, debug: bool = False) -> Object:
    """Return the answer of ``upgrade --sql``: that of ``upgrade``, with a file for each target."""
    answer = result(of.result, debug=debug)
    answer["command"] = "sql"
    for target in answer["targets"]:
        target["file"] = of.files.get(target["name"])
    return answer


def history(of: History, *, debug: bool = False) -> Object:
    """Return the answer of ``history``."""
    return {
        "command": "history",
        "exit_code": of.exit_code,
        "interrupted": of.interrupted,
        "database": of.database,
        "environments": list(of.environments),
        "summary": {
            "revisions": len(of.revisions),
            "targets": sum(sum(c.values()) for c in of.standing.values()) + len(of.unreadable),
            "unreadable": len(of.unreadable),
        },
        "revisions": [{**_revision(r), "standing": _standing(of, r.id)} for r in of.revisions],
        "empty": _standing(of, ""),
        "unreadable": [outcome(o, debug=debug) for o in of.unreadable],
    }


def revision(written: NewRevision, command: str = "revision") -> Object:
    """Return the answer of ``revision`` and ``merge``."""
    return {
        "command": command,
        "database": written.database,
        "revision": written.id,
        "path": written.path,
        "empty": written.empty,
        "revisions": [_revision(r) for r in written.revisions],
        "warnings": list(written.warnings),
    }


def init(made: "InitResult", folder: Path) -> Object:
    """Return the answer of ``init``."""
    return {
        "command": "init",
        "folder": str(folder),
        "written": [str(path) for path in made.written],
        "kept": [str(path) for path in made.kept],
        **_adoption(made.adoption),
    }


def _adoption(of: "Adoption | None") -> Object:
    return {
        "adopted": of.config_file if of else None,
        "exports": [{"variable": e.variable, "from": e.source} for e in of.exports] if of else [],
        "found": [{"what": what, "value": text} for what, text in of.found] if of else [],
        "left_out": [{"what": what, "why": text} for what, text in of.left_out] if of else [],
    }


def config_check(path: Path, model: "Config", number: int, notes: Sequence[str] = ()) -> Object:
    """Return the answer of ``config check``."""
    summary = {
        "environments": len(model.environments),
        "databases": len(model.databases),
        "targets": number,
    }
    return {
        "command": "config check",
        "path": str(path),
        "summary": summary,
        "notes": list(notes),
    }


def config_show(path: Path, resolved: Mapping[str, Any]) -> Object:
    """Return the answer of ``config show``."""
    return {"command": "config show", "path": str(path), "config": resolved}


def error(message: str, exit_code: int) -> Object:
    """Return what stands in place of an answer where a command could not give one."""
    return {"error": {"message": message, "exit_code": exit_code}}


def _summary(of: Result) -> Object:
    by_environment: dict[str, Counter[State]] = {}
    for target, outcome in zip(of.targets, of.outcomes, strict=True):
        by_environment.setdefault(target.environment, Counter())[outcome.state] += 1
    return {
        "targets": len(of.targets),
        "states": counts(of.tally),
        "environments": {name: counts(tally) for name, tally in by_environment.items()},
        "classes": [
            {
                "database": of_.database,
                "dialect": of_.dialect,
                "heads": list(of_.heads),
                "fingerprint": of_.fingerprint,
                "targets": len(of_.members),
            }
            for of_ in schema_classes(zip(of.targets, of.outcomes, strict=True))
        ],
    }


def counts(tally: Mapping[State, int]) -> dict[str, int]:
    """Return how many targets are in each state that occurs."""
    return {state.value: tally[state] for state in State if tally.get(state)}


def _outcomes(of: Result, *, debug: bool) -> list[Object]:
    pairs = zip(of.targets, of.outcomes, strict=True)
    return [{**_target(t), **outcome(o, debug=debug)} for t, o in pairs]


def _target(target: Target) -> Object:
    return {
        "name": target.name,
        "environment": target.environment,
        "database": target.database,
        "tenant": target.tenant,
        "labels": labels(target.labels),
        "server": target.server,
        "url": str(target.address),
        "schema": str(target.address.schema) or None,
    }


def outcome(of: Outcome, *, debug: bool) -> Object:
    """Return what became of a target."""
    return {
        "name": of.target,
        "state": of.state.value,
        "heads_before": list(of.heads_before),
        "heads": list(of.heads),
        "fingerprint": of.fingerprint,
        "server_version": of.server_version or None,
        "invalid_indexes": list(of.invalid_indexes),
        "revisions": [_revision(r) for r in of.revisions],
        "differences": [_difference(d) for d in of.differences],
        "failure": failure(of.failure, debug=debug) if of.failure else None,
        "blocked_by": of.blocked_by,
        "attempts": of.attempts,
        "seconds": round(of.seconds, 3),
        "output": of.output,
    }


def _revision(of: Revision) -> Object:
    return {
        "id": of.id,
        "message": of.message,
        "down_revisions": list(of.down),
        "depends_on": list(of.depends_on),
        "branch_labels": list(of.branch_labels),
        "is_head": of.is_head,
        "path": of.path,
    }


def _difference(of: Difference) -> Object:
    return {
        "kind": of.kind,
        "text": of.text,
        "table": of.table,
        "name": of.name,
        "database_value": of.database_value,
        "model_value": of.model_value,
    }


def failure(of: Failure, *, debug: bool) -> Object:
    """Return why a target failed."""
    return {
        "message": of.message,
        "next_step": of.next_step,
        "revision": of.revision,
        "statement": of.statement,
        "executed": list(of.executed),
        "half_applied": of.half_applied,
        "retryable": of.retryable,
        "traceback": of.traceback if debug else None,
    }


def _standing(of: History, revision_id: str) -> dict[str, int]:
    return _in_order(of.environments, of.standing.get(revision_id, {}))


def _in_order(environments: Iterable[str], counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in environments}
