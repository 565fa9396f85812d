"""What happened in a run, as its ledger has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.ledger.access import AuditRecord
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import (
    ApprovalRecord,
    AttemptRecord,
    GateRecord,
    OverrideRecord,
    Pace,
    RemarkRecord,
    RunRecord,
    TargetRecord,
    WaveRecord,
    Which,
)
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.plan import Plan
from orchestrator.runs.from_ledger import StoredRun

_SLOWEST = 5
_ALIVE = 15_000
"""Milliseconds: who has given no sign of life for longer is taken for dead."""
_AUDITED = 1000
_TROUBLE = (State.FAILED, State.LOCKED, State.IN_DOUBT, State.SKIPPED)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A target that did not succeed, with its last attempt."""

    target: TargetRecord
    attempt: AttemptRecord | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run with its waves, what went wrong, who decided what, and what took long."""

    run: RunRecord
    waves: Sequence[WaveRecord]
    gates: Sequence[GateRecord]
    approvals: Sequence[ApprovalRecord]
    overrides: Sequence[OverrideRecord]
    remarks: Sequence[RemarkRecord]
    troubles: Sequence[Trouble]
    open: Sequence[AttemptRecord]
    """Attempts whose end nobody has recorded: they run, or their process died."""
    slowest: Sequence[AttemptRecord]
    replayed: int
    """Revisions that were sent as they were recorded on other targets, over all targets."""
    now: int
    """The time by the ledger's clock, in ms."""

    @property
    def driver(self) -> str | None:
        """Who drives it, as far as its last sign of life tells; ``None`` for nobody."""
        seen = self.run.heartbeat_at
        return self.run.holder if seen is not None and abs(self.now - seen) <= _ALIVE else None


def run_report(ledger: Ledger, id_: int) -> RunReport:
    """Read what happened in a run. Raises ``UsageError`` for one that is not there."""
    run = ledger.run(id_)
    failed = {attempt.target: attempt for attempt in ledger.attempts(id_, Which.FAILED)}
    return RunReport(
        run=run,
        waves=ledger.waves(id_),
        gates=ledger.gates(id_),
        approvals=ledger.approvals(id_),
        overrides=ledger.overrides(id_),
        remarks=ledger.remarks(id_),
        troubles=[Trouble(t, failed.get(t.name)) for t in ledger.targets(id_, _TROUBLE)],
        open=ledger.attempts(id_, Which.OPEN),
        slowest=ledger.attempts(id_, Which.SLOWEST, limit=_SLOWEST),
        replayed=ledger.replayed(id_),
        now=ledger.now(),
    )


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with all that its ledger has of it: what a file that is kept is made of."""

    report: RunReport
    plan: Plan
    targets: Sequence[TargetRecord]
    ends: Mapping[int, AttemptRecord]
    """The newest attempt at each target, by the target's position."""
    paces: Sequence[Pace]
    mean: float | None
    """Milliseconds that an attempt took that succeeded."""
    audit: Sequence[AuditRecord]
    """What was done about it on pages, or tried, oldest first."""


def whole_run(ledger: Ledger, id_: int) -> WholeRun:
    """Read all of a run. Raises ``UsageError`` for one that is not there."""
    report = run_report(ledger, id_)
    stored = StoredRun.of(ledger, id_)
    return WholeRun(
        report=report,
        plan=stored.plan,
        targets=tuple(stored.rows.values()),
        ends={attempt.position: attempt for attempt in ledger.attempts(id_, Which.NEWEST)},
        paces=ledger.paces(id_),
        mean=ledger.mean(id_),
        audit=ledger.access.audit(id_, limit=_AUDITED)[::-1],
    )
