"""What happened in a run, as its ledger has it."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import (
    ApprovalRecord,
    AttemptRecord,
    GateRecord,
    OverrideRecord,
    RemarkRecord,
    RunRecord,
    TargetRecord,
    WaveRecord,
    Which,
)
from orchestrator.rollout.outcomes import State

_SLOWEST = 5
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
