"""Results as JSON: one object per command, whose keys are those of ``answers``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.actions.authoring import NewRevision
from orchestrator.actions.cluster import ClusterView
from orchestrator.actions.doctor.checks import Diagnosis
from orchestrator.actions.drifting import DriftResult, Siblings
from orchestrator.actions.histories import History
from orchestrator.actions.identifying import IdentifyResult, Identity
from orchestrator.actions.sqlfiles import SqlFiles
from orchestrator.dispatch.results import Result
from orchestrator.fleet.drift import Drift
from orchestrator.fleet.target import Target
from orchestrator.render.answering import Object, answer, answers, counts, dump, dump_all
from orchestrator.render.drift import line
from orchestrator.render.text import labels
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.snapshot.classes import SchemaClass, schema_classes

if TYPE_CHECKING:
    from orchestrator.actions.init import InitResult
    from orchestrator.config.models import Config


def targets(found: Sequence[Target]) -> Object:
    """Return the answer of ``targets``."""
    summary = {
        "targets": len(found),
        "environments": Counter(target.environment for target in found),
        "databases": Counter(target.database for target in found),
        "servers": Counter(target.server for target in found),
    }
    return answer(
        answers.Targets, command="targets", summary=summary, targets=[_target(t) for t in found]
    )


def workers(view: ClusterView) -> Object:
    """Return the answer of ``workers``."""
    return answer(
        answers.Workers,
        command="workers",
        scheduler=view.scheduler,
        dashboard=view.dashboard,
        workers=[dump(answers.Worker, worker) for worker in view.workers],
    )


def result(of: Result, *, debug: bool = False) -> Object:
    """Return the answer of ``status``, ``check``, ``upgrade``, ``downgrade`` and ``stamp``."""
    return answer(
        answers.Result,
        command=of.verb,
        exit_code=of.exit_code,
        dry_run=of.dry_run,
        interrupted=of.interrupted,
        seconds=round(of.seconds, 3),
        warnings=list(of.warnings),
        run=None if of.run is None else dump(answers.RunEnd, of.run),
        summary=_summary(of),
        targets=[_of(t, o, debug) for t, o in zip(of.targets, of.outcomes, strict=True)],
    )


def sql(of: SqlFiles, *, debug: bool = False) -> Object:
    """Return the answer of ``upgrade --sql``: that of ``upgrade``, with a file for each target."""
    found = result(of.result, debug=debug)
    with_files = [{**one, "file": of.files.get(one["name"])} for one in found["targets"]]
    return answer(answers.Sql, **{**found, "command": "sql", "targets": with_files})


def doctor(of: Diagnosis) -> Object:
    """Return the answer of ``doctor``."""
    return answer(answers.Doctor, **_head("doctor", of), checks=dump_all(answers.Check, of.checks))


def identify(of: IdentifyResult, *, debug: bool = False) -> Object:
    """Return the answer of ``identify``."""
    return answer(
        answers.Identify,
        **_head("identify", of),
        warnings=list(of.warnings),
        targets=[_identity(one, debug) for one in of.identities],
    )


def drift(of: DriftResult, *, debug: bool = False) -> Object:
    """Return the answer of ``drift``."""
    summary = {
        "targets": len(of.targets),
        "classes": sum(len(siblings.classes) for siblings in of.siblings),
        "differing": sum(
            len(d.of.members) for siblings in of.siblings for d in siblings.deviations
        ),
        "unreadable": len(of.unreadable),
    }
    return answer(
        answers.DriftReport,
        **_head("drift", of),
        warnings=list(of.warnings),
        summary=summary,
        databases=[_siblings(siblings) for siblings in of.siblings],
        unreadable=[_of(t, o, debug) for t, o in of.unreadable],
    )


def history(of: History, *, debug: bool = False) -> Object:
    """Return the answer of ``history``."""
    summary = {
        "revisions": len(of.revisions),
        "targets": sum(sum(c.values()) for c in of.standing.values()) + len(of.unreadable),
        "unreadable": len(of.unreadable),
    }
    revisions = [
        {**dump(answers.Revision, one), "standing": _standing(of, one.id)} for one in of.revisions
    ]
    return answer(
        answers.History,
        command="history",
        exit_code=of.exit_code,
        interrupted=of.interrupted,
        database=of.database,
        environments=list(of.environments),
        summary=summary,
        revisions=revisions,
        empty=_standing(of, ""),
        unreadable=dump_all(answers.Outcome, of.unreadable, debug=debug),
    )


def revision(written: NewRevision, command: str = "revision") -> Object:
    """Return the answer of ``revision`` and ``merge``."""
    return answer(
        answers.NewRevision,
        command=command,
        database=written.database,
        revision=written.id,
        path=written.path,
        empty=written.empty,
        revisions=dump_all(answers.Revision, written.revisions),
        warnings=list(written.warnings),
    )


def init(made: "InitResult", folder: Path) -> Object:
    """Return the answer of ``init``."""
    of = made.adoption
    return answer(
        answers.Init,
        command="init",
        folder=str(folder),
        written=[str(path) for path in made.written],
        kept=[str(path) for path in made.kept],
        adopted=of.config_file if of else None,
        exports=dump_all(answers.Export, of.exports if of else ()),
        found=[{"what": what, "value": text} for what, text in of.found] if of else [],
        left_out=[{"what": what, "why": text} for what, text in of.left_out] if of else [],
    )


def config_check(path: Path, model: "Config", number: int, notes: Sequence[str] = ()) -> Object:
    """Return the answer of ``config check``."""
    summary = {
        "environments": len(model.environments),
        "databases": len(model.databases),
        "targets": number,
    }
    return answer(
        answers.ConfigCheck,
        command="config check",
        path=str(path),
        summary=summary,
        notes=list(notes),
    )


def config_show(path: Path, resolved: Mapping[str, Any]) -> Object:
    """Return the answer of ``config show``."""
    return answer(answers.ConfigShow, command="config show", path=str(path), config=resolved)


def error(message: str, exit_code: int) -> Object:
    """Return what stands in place of an answer where a command could not give one."""
    return answer(answers.Error, error={"message": message, "exit_code": exit_code})


def _head(command: str, of: Diagnosis | IdentifyResult | DriftResult) -> Object:
    return {
        "command": command,
        "exit_code": of.exit_code,
        "interrupted": of.interrupted,
        "seconds": round(of.seconds, 3),
    }


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


def _of(target: Target, outcome: Outcome, debug: bool) -> Object:
    return {**_target(target), **dump(answers.Outcome, outcome, debug=debug)}


def _identity(one: Identity, debug: bool) -> Object:
    return {
        **_of(one.target, one.outcome, debug),
        "fits": [list(heads) for heads in one.fits],
        "by": one.by or None,
        "nearest": None if one.nearest is None else list(one.nearest),
        "drift": [_drift(found) for found in one.differences],
        "note": one.note or None,
    }


def _siblings(siblings: Siblings) -> Object:
    return {
        "database": siblings.baseline.database,
        "dialect": siblings.baseline.dialect,
        "heads": list(siblings.baseline.heads),
        "baseline": _class(siblings.baseline),
        "classes": [
            {
                **_class(deviation.of),
                "differences": [_drift(found) for found in deviation.differences],
                "failure": deviation.failure,
            }
            for deviation in siblings.deviations
        ],
    }


def _class(of: SchemaClass) -> Object:
    return {"fingerprint": of.fingerprint, "targets": [member.name for member in of.members]}


def _drift(of: Drift) -> Object:
    return {**dump(answers.Drift, of), "text": line(of)}


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


def _standing(of: History, revision_id: str) -> dict[str, int]:
    found = of.standing.get(revision_id, {})
    return {name: found.get(name, 0) for name in of.environments}
