"""Runs of many targets that never were: what reports are made of in tests."""

from orchestrator.ledger.access import AuditRecord
from orchestrator.ledger.records import (
    ApprovalRecord,
    AttemptRecord,
    GateRecord,
    OverrideRecord,
    Pace,
    RemarkRecord,
    TargetRecord,
)
from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import Failure, State
from orchestrator.runs.report import RunReport, Trouble, WholeRun
from tests.render.run_samples import START, plan, planned_target, run, wave
from tests.render.samples import FIRST, SECOND

HOSTILE = (
    "</script><script>alert(1)</script></style><img src=x onerror=alert(2)>"
    "\"'`&amp;{{ 7777 * 7777 }}\u2028\u202e\x1b[31m<!--"
)
DIGEST = "c5d9d6108f54d3b6a5b1c0fb4a0a7c3d2c0e0c6d9f1f4f0a2d9c5b7e8f6a1b3c"
_KINDS = (State.FAILED, State.FAILED, State.FAILED, State.LOCKED, State.IN_DOUBT)


def large_run(number: int, *, failed: int = 0, causes: int = 4, hostile: str = "") -> WholeRun:
    """Return a run of many targets, of which every so many failed with a long statement."""
    every = number // failed if failed else 0
    bad = {at for at in range(number) if every and at % every == every - 1}
    rows = [_row(at, _state(at, bad, every), hostile) for at in range(number)]
    ends = {
        row.position: _end(row, causes, hostile) for row in rows if row.state is not State.SKIPPED
    }
    canary = min(10, number)
    tally: dict[State | None, int] = {}
    for row in rows:
        tally[row.state] = tally.get(row.state, 0) + 1
    last = max((end.ended_at or 0 for end in ends.values()), default=START)
    report = RunReport(
        run=run(
            project=f"shop{hostile}",
            state=RunState.FAILED if bad else RunState.DONE,
            reason=f"{len(bad)} targets of prod/everyone failed{hostile}" if bad else None,
            by=f"kim@build{hostile}",
            ended_at=last,
            digest=DIGEST,
            total=number,
            tally=tally,
        ),
        waves=[
            wave(
                0,
                f"prod/canary{hostile}",
                "prod",
                0,
                canary,
                WaveState.PASSED,
                0,
                START,
                START + 4_000,
            ),
            wave(
                1,
                "prod/everyone",
                "prod",
                number // 50,
                number - canary,
                WaveState.FAILED if bad else WaveState.PASSED,
                len(bad),
                START + 60_000,
                last,
            ),
        ],
        gates=[GateRecord(0, GateKind.QUERY, "passed", f"on 3 of 3{hostile}", START + 9_200, 2)],
        approvals=[ApprovalRecord(0, f"robin{hostile}", f"looks good{hostile}", START + 55_000)],
        overrides=[
            OverrideRecord(0, GateKind.REQUIRES, "kim", f"hotfix{hostile}", "", START + 300)
        ],
        remarks=[
            RemarkRecord(row.name, "skipped", "robin", f"leaves us{hostile}", START + 8_000)
            for row in rows
            if row.state is State.SKIPPED
        ],
        troubles=[Trouble(row, ends.get(row.position)) for row in rows if row.position in bad],
        open=[],
        slowest=sorted(ends.values(), key=lambda end: -(end.milliseconds or 0))[:5],
        replayed=number,
        now=last + 5_000,
    )
    paces = [
        Pace(end.ended_at or 0, end.milliseconds or 0, end.state or State.FAILED)
        for end in sorted(ends.values(), key=lambda end: end.ended_at or 0)
    ]
    targets = tuple(planned_target(f"prod/orders/t{at:05}", min(at // 10, 1)) for at in range(9))
    said = AuditRecord(1, START + 55_000, f"robin{hostile}", "approve", 12, hostile, "approved")
    whole_plan = plan(targets=targets, notes=(f"a note{hostile}",))
    return WholeRun(report, whole_plan, rows, ends, paces, 900.0, [said])


def _state(at: int, bad: set[int], every: int) -> State:
    if at in bad:
        return _KINDS[at // every % len(_KINDS)]
    if at % 97 == 3:
        return State.UNCHANGED
    return State.SKIPPED if at == 44 else State.DONE


def _row(at: int, state: State, hostile: str) -> TargetRecord:
    return TargetRecord(
        position=at,
        name=f"prod/orders/tenant-{at:05}{hostile if at % 7 == 0 else ''}",
        environment="prod",
        database="orders",
        server="postgresql://a.db.prod:5432",
        wave=0 if at < 10 else 1,
        heads=(FIRST.id,),
        goal=(SECOND.id,),
        schema_class="4c1f09e7a2b8",
        detail={},
        state=state,
        attempts=1 + (at % 50 == 0),
        blocked_by=None,
        settled_at=START,
        doubt=False,
    )


def _end(row: TargetRecord, causes: int, hostile: str) -> AttemptRecord:
    at = row.position
    took = 400 + (at * 7919) % 2_000
    began = START + (at * 120 if at < 10 else 60_000 + at * 30)
    failed = row.state not in {State.DONE, State.UNCHANGED}
    return AttemptRecord(
        run=12,
        position=at,
        target=row.name,
        number=row.attempts,
        environment="prod",
        database="orders",
        started_at=began,
        ended_at=began + took,
        state=row.state,
        heads_before=(FIRST.id,),
        heads_after=(FIRST.id,) if failed else (SECOND.id,),
        revisions=(SECOND.id,),
        committing=(),
        failure=_failure(at // 100 % causes, hostile) if failed else None,
        milliseconds=took,
        replayed=1,
    )


def _failure(cause: int, hostile: str) -> Failure:
    column = f"column_{cause}{hostile}"
    lines = (f"  {column}_{line} VARCHAR(255) DEFAULT 'none' NOT NULL," for line in range(30))
    return Failure(
        message=f"duplicate key value violates unique constraint {column}, DETAIL: {'x' * 900}",
        next_step=f"repair it, then: orchestrator retry 12{hostile}",
        revision=SECOND.id,
        statement="CREATE TABLE notes (\n" + "\n".join(lines) + "\n)",
    )
