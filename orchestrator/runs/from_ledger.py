"""What the ledger has of a run, as what it takes to go on with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any

from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import LOST, AttemptRecord, RunRecord, TargetRecord
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.plan import Plan, of_json
from orchestrator.rollout.stages import Past
from orchestrator.runs.attempts import Attempts

ENDED_BEFORE = "the orchestrator process that ran it died"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What the ledger has of a run."""

    run: RunRecord
    plan: Plan
    rows: Mapping[str, TargetRecord]

    @classmethod
    def of(cls, ledger: Ledger, id_: int) -> "StoredRun":
        """Read a run. Raises ``UsageError`` for one that is not there."""
        run = ledger.run(id_)
        rows = ledger.targets(id_)
        plan = of_json(loads(ledger.plan(id_)), [_planned(row) for row in rows])
        return cls(run, plan, {row.name: row for row in rows})


def _planned(row: TargetRecord) -> dict[str, Any]:
    return {
        "name": row.name,
        "environment": row.environment,
        "database": row.database,
        "server": row.server,
        "place": row.detail["place"],
        "wave": row.wave,
        "heads": row.heads,
        "goal": row.goal,
        "schema_class": row.schema_class,
        "revisions": tuple(row.detail["revisions"]),
    }


def past_of(ledger: Ledger, id_: int, stored: StoredRun) -> Past:
    """Return what the state machine must know of a run to go on with it."""
    waves = {wave.position: (wave.state, wave.ended_at) for wave in ledger.waves(id_)}
    held = {(gate.wave, gate.kind) for gate in ledger.gates(id_) if gate.state != "failed"}
    settled = {
        row.name: row.state
        for row in stored.rows.values()
        if row.state is not None and row.state is not State.NOT_STARTED
    }
    return Past(settled, waves, frozenset(held))


def earlier_attempts(
    ledger: Ledger, id_: int, rows: Mapping[str, TargetRecord]
) -> dict[str, Attempts]:
    """Return what was tried before on each target that is still to be worked on."""
    attempts: dict[str, list[AttemptRecord]] = {}
    for attempt in ledger.attempts(id_):
        if rows[attempt.target].state in {None, State.NOT_STARTED}:
            attempts.setdefault(attempt.target, []).append(attempt)
    return {name: _attempts(of, rows[name]) for name, of in attempts.items()}


def _attempts(attempts: Sequence[AttemptRecord], row: TargetRecord) -> Attempts:
    """Return what is known of earlier attempts, from the last one back to one that could look."""
    found = Attempts(number=attempts[-1].number)
    committing: dict[str, None] = {}
    for attempt in reversed(attempts):
        if _has_looked(attempt):
            break
        lost = attempt.state in {None, LOST}
        found.unseen = found.unseen or lost
        if lost:
            committing.update(dict.fromkeys(r for c in attempt.committing for r in c.revisions))
            found.loss = found.loss or ENDED_BEFORE
    found.committing = tuple(committing)
    if found.unseen:
        found.origin = row.heads
    return found


def _has_looked(attempt: AttemptRecord) -> bool:
    if attempt.state in {None, LOST, State.LOCKED}:
        return False
    failure = attempt.failure
    # In doubt because nobody could look, and somebody wants it tried again: still nobody has.
    return failure is None or not failure.retryable


def created_by(ledger: Ledger, run: int | None) -> frozenset[str]:
    """Return the targets whose database or schema a run has made."""
    remarks = [] if run is None else ledger.remarks(run)
    return frozenset(one.target for one in remarks if one.what == "created")
