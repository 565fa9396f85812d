"""Plans and runs as JSON, whose keys are those of ``answers_runs``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.config.roles import Role
from orchestrator.ledger.access import TokenRecord
from orchestrator.ledger.records import RunRecord
from orchestrator.render.answering import Object, answer, answers, dump, dump_all
from orchestrator.render.answering import answers_runs as models
from orchestrator.render.tokens import standing
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.plan import Plan
from orchestrator.runs.planning.preview import Planned
from orchestrator.runs.report import RunReport, Trouble
from orchestrator.runs.requests import Done
from orchestrator.runs.rollback import Rollback


def plan(of: Planned, out: Path | None, *, debug: bool = False) -> Object:
    """Return the answer of ``plan``."""
    return answer(
        models.Plan,
        command="plan",
        exit_code=of.exit_code,
        interrupted=of.interrupted,
        seconds=of.took,
        warnings=list(of.warnings),
        file=None if out is None else str(out),
        **_plan(of.plan, of.seconds),
        unread=dump_all(answers.Outcome, of.unread, debug=debug),
    )


def rollback(of: Rollback) -> Object:
    """Return the answer of ``rollback --dry-run``."""
    return answer(
        models.Rollback,
        command="rollback",
        **_plan(of.plan, {}),
        run=of.plan.parent,
        moved=list(of.moved),
    )


def runs(of: Sequence[RunRecord]) -> Object:
    """Return the answer of ``runs``."""
    return answer(models.Runs, command="runs", runs=dump_all(models.Run, of))


def token_added(name: str, role: Role, token: str) -> Object:
    """Return the answer of ``token add``, which is the only one that has a token."""
    return answer(models.TokenAdded, command="token add", name=name, role=role.value, token=token)


def tokens(command: str, found: Sequence[TokenRecord], now: int) -> Object:
    """Return the answer of ``token list`` and ``token revoke``."""
    rows = [{**dump(models.Token, one), "state": standing(one, now)} for one in found]
    return answer(models.Tokens, command=command, tokens=rows)


def done(command: str, of: Done) -> Object:
    """Return the answer of ``pause``, ``abort``, ``approve`` and ``skip``."""
    return answer(models.Done, command=command, run=of.run, text=of.text)


def run_report(of: RunReport, *, debug: bool = False) -> Object:
    """Return the answer of ``show``."""
    waves = {wave.position: wave.name for wave in of.waves}
    return answer(
        models.Show,
        command="show",
        run=dump(models.Run, of.run),
        waves=dump_all(models.Wave, of.waves),
        gates=dump_all(models.Gate, of.gates, waves=waves),
        approvals=dump_all(models.Approval, of.approvals, waves=waves),
        overrides=dump_all(models.Override, of.overrides, waves=waves),
        remarks=dump_all(models.Remark, of.remarks),
        replayed=of.replayed,
        troubles=[_trouble(one, debug=debug) for one in of.troubles],
        open=dump_all(models.Attempt, of.open, debug=debug),
        slowest=dump_all(models.Attempt, of.slowest, debug=debug),
    )


def _trouble(of: Trouble, *, debug: bool) -> Object:
    attempt = None if of.attempt is None else dump(models.Attempt, of.attempt, debug=debug)
    return {
        "name": of.target.name,
        "state": State(of.target.state or State.FAILED).value,
        "doubt": of.target.doubt,
        "attempt": attempt,
    }


def _plan(of: Plan, seconds: Mapping[int, float | None]) -> Object:
    busy = Counter(target.wave for target in of.busy)
    waves = {at: wave.name for at, wave in enumerate(of.waves)}
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
            {"database": database, **dump(models.PlannedRevision, revision)}
            for database, revisions in of.revisions.items()
            for revision in revisions.values()
        ],
        "waves": [
            {**dump(models.PlannedWave, wave), "busy": busy[at], "estimate": seconds.get(at)}
            for at, wave in enumerate(of.waves)
        ],
        "targets": dump_all(models.PlannedTarget, of.targets, waves=waves),
    }


def _total(of: Plan, seconds: Mapping[int, float | None]) -> float | None:
    known = [seconds.get(at) for at in range(len(of.waves))]
    found = [value for value in known if value is not None]
    return sum(found) if len(found) == len(known) else None
