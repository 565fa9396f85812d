"""A run that stopped, taken up again: after a pause, a gate, a failure, or any crash."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.dispatch.results import Result
from orchestrator.errors import Refused, UsageError
from orchestrator.fleet.ordering import dependencies, reversed_
from orchestrator.fleet.target import Target
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.records import AttemptRecord, TargetRecord, Which
from orchestrator.rollout.events import (
    AttemptLost,
    Event,
    RunResumed,
    RunState,
    TargetRetried,
    TargetSkipped,
)
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.runs.conflicts import refuse_doubts
from orchestrator.runs.context import ProjectContext, RunContext, RunOptions
from orchestrator.runs.controller import control
from orchestrator.runs.ending import Ended
from orchestrator.runs.from_ledger import (
    ENDED_BEFORE,
    StoredRun,
    created_by,
    earlier_attempts,
    past_of,
)
from orchestrator.runs.recorded_run import RecordedRun
from orchestrator.runs.starting import HELD_TO
from orchestrator.runs.unchanged import assert_unchanged
from orchestrator.snapshot.at_head import AtHead
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.worker.jobs import Verb

_ENDED = frozenset({RunState.DONE, RunState.ABORTED})
_SHOWN = 5
_RETRIED = frozenset({State.FAILED, State.LOCKED})
_OPEN = frozenset({None, State.NOT_STARTED, State.BLOCKED})


def resume(project: ProjectContext, id_: int, options: RunOptions) -> Result:
    """Go on with a run where it stands. Targets whose attempt nobody saw end are asked first.

    Raises ``UsageError`` for a run that is over, ``Refused`` for one that somebody else holds,
    that is over its budget, or whose scripts or waves were changed since.
    """
    return _take_up(project, id_, options, lambda _: [])


def retry(project: ProjectContext, id_: int, names: Sequence[str], options: RunOptions) -> Result:
    """Let failed targets of a run be tried again, and go on with it.

    All that failed and changed nothing; or those of ``names``, which may also be in doubt or half
    applied, once somebody has fixed them. Raises as ``resume``, and ``UsageError`` for names that
    can't be tried again.
    """

    def again(stored: StoredRun) -> list[str]:
        if not names:
            rows = stored.rows.values()
            found = [row.name for row in rows if row.state in _RETRIED and not row.doubt]
            if not found:
                raise UsageError(
                    f"run {id_} has no failed target to retry{_doubtful(stored)}\n"
                    f"  to go on with it, or to try its gate again: orchestrator resume {id_}"
                )
            return found
        for name in names:
            row = stored.rows.get(name)
            if row is None:
                raise UsageError(f"run {id_} has no target {name}")
            if row.state not in {*_RETRIED, State.IN_DOUBT, State.SKIPPED}:
                raise UsageError(f"{name} did not fail in run {id_}: it is {row.state or 'open'}")
        return list(names)

    return _take_up(project, id_, options, again, over=frozenset({RunState.ABORTED}))


def _doubtful(stored: StoredRun) -> str:
    rows = [row for row in stored.rows.values() if row.doubt and row.state is not None]
    if not rows:
        return ""
    name = rows[0].name
    what = "is in doubt" if rows[0].state is State.IN_DOUBT else "was left half applied"
    again = f"orchestrator retry {stored.run.id} {name}"
    return f"\n  {name} {what}: name it once it is fixed, {again}"


def _take_up(
    project: ProjectContext,
    id_: int,
    options: RunOptions,
    again: Callable[[StoredRun], Sequence[str]],
    over: frozenset[RunState] = _ENDED,
) -> Result:
    began = time.monotonic()
    with project.existing_ledger() as ledger:
        state = ledger.run(id_).state
        if state in over:
            raise UsageError(f"run {id_} is {state}: there is nothing to resume")
        with ledger.hold(id_, Holder.here()) as hold:
            stored = StoredRun.of(ledger, id_)
            targets = _targets(project, stored)
            project.make_ready(targets)
            with project.workers(targets) as workers:
                workers.connect()  # before the run is said to go on
                project.observer.begin(stored.plan.verb, targets)
                context = RunContext(project, ledger, workers, options)
                snapshot = SnapshotReader(workers)
                assert_unchanged(stored, snapshot, targets)
                retried = again(stored)
                _assert_within_budget(stored, retried)
                hold.write(_before(context, stored, targets, retried))
                stored = StoredRun.of(ledger, id_)
                _assert_alone(ledger, stored)
                ledger.answered(id_)
                run = _run(context, snapshot, stored, targets)
                ended = control(context, hold, run, RunResumed)
                interrupted = workers.interrupted
            return Result.of(
                stored.plan.verb,
                targets,
                _outcomes(ledger, ended),
                interrupted=interrupted,
                began=began,
                run=ended.end,
            )


def _targets(project: ProjectContext, stored: StoredRun) -> tuple[Target, ...]:
    """Return the targets of the run that are there, in the order of its plan."""
    there = project.still_known([target.environment for target in stored.plan.targets])
    found = {target.name: target for target in there}
    return tuple(found[t.name] for t in stored.plan.targets if t.name in found)


def _before(
    context: RunContext, stored: StoredRun, targets: Sequence[Target], retried: Sequence[str]
) -> list[Event]:
    """Return which attempts nobody will end, and which targets are tried again or are gone."""
    ledger, by = context.ledger, context.options.by
    now, there = ledger.now(), {target.name for target in targets}
    left = ledger.attempts(stored.run.id, Which.OPEN)
    return [
        *(AttemptLost(now, attempt.target, attempt.number, ENDED_BEFORE) for attempt in left),
        *(TargetRetried(now, name, by) for name in retried),
        *(
            TargetSkipped(now, name, by, "it is no longer in environments.toml")
            for name, row in stored.rows.items()
            if name not in there and row.state in {None, *_RETRIED}
        ),
    ]


def _assert_within_budget(stored: StoredRun, retried: Sequence[str]) -> None:
    """Raise ``Refused`` where more targets of a wave failed than may, besides those ``retried``."""
    id_, again = stored.run.id, set(retried)
    for at, wave in enumerate(stored.plan.waves):
        failed = [
            row.name
            for row in stored.rows.values()
            if row.wave == at and row.state in {*_RETRIED, State.IN_DOUBT} and row.name not in again
        ]
        if len(failed) > wave.budget:
            named = [*retried, *failed] if len(retried) + len(failed) <= _SHOWN else []
            raise Refused(
                f"{len(failed):,} of {wave.name} failed, and at most {wave.budget:,} may: "
                f"{', '.join(failed[:5])}{', …' if len(failed) > 5 else ''}\n"
                f"  once they are fixed, {' '.join(['orchestrator retry', str(id_), *named])}; "
                f"or go on without one: "
                f"orchestrator skip {id_} {failed[0]} --reason …"
            )


def _assert_alone(ledger: Ledger, stored: StoredRun) -> None:
    """Raise ``Refused`` where other runs came in between, and are not done with its targets."""
    id_ = stored.run.id
    left = [row.name for row in stored.rows.values() if row.state in _OPEN]
    refuse_doubts(ledger, left, but=id_)
    others = {run: name for run, name in ledger.unfinished(left).items() if run != id_}
    if others:
        other, name = min(others.items())
        raise Refused(
            f"run {other} is {ledger.run(other).state}, and still has {name} to do\n"
            f"  go on with it: orchestrator resume {other}; or give one of the two up: "
            f"orchestrator abort {other}, or abort {id_}"
        )


def _run(
    context: RunContext,
    snapshot: SnapshotReader,
    stored: StoredRun,
    targets: Sequence[Target],
) -> RecordedRun:
    plan, ledger, id_ = stored.plan, context.ledger, stored.run.id
    needs = dependencies(targets, context.config)
    if plan.verb == Verb.DOWNGRADE:
        _, needs = reversed_(targets, needs)
    earlier = earlier_attempts(ledger, id_, stored.rows)
    at_head = None
    if plan.verb == Verb.UPGRADE and plan.revision == "heads":
        idle = {target.name for target in plan.targets if target.idle} - earlier.keys()
        left = [t for t in targets if t.name in idle and stored.rows[t.name].state is None]
        still = snapshot.at_head(left)
        at_head = AtHead(snapshot, [target for target in left if target.name in still])
    return RecordedRun(
        id=id_,
        plan=plan,
        targets={target.name: target for target in targets},
        needs=needs,
        histories=snapshot.histories,
        past=past_of(ledger, id_, stored),
        earlier=earlier,
        at_head=at_head,
        created=created_by(ledger, plan.parent),
        held_to=bool(plan.selection.get(HELD_TO)),
    )


def _outcomes(ledger: Ledger, ended: Ended) -> dict[str, Outcome]:
    """Return how every target of the run stands, those included that earlier processes did."""
    id_, outcomes = ended.end.id, ended.outcomes
    newest = {a.target: a for a in ledger.attempts(id_, Which.NEWEST)}
    for row in ledger.targets(id_):
        if row.name in outcomes and row.name not in ended.worked_on and row.state is not None:
            outcomes[row.name] = _outcome(row, newest.get(row.name))
    return outcomes


def _outcome(row: TargetRecord, attempt: AttemptRecord | None) -> Outcome:
    """Return what became of a target earlier in its run."""
    assert row.state is not None
    outcome = Outcome(row.name, row.state, blocked_by=row.blocked_by, attempts=row.attempts)
    if attempt is None:
        return outcome
    return replace(
        outcome,
        heads_before=attempt.heads_before or (),
        heads=attempt.heads_after or (),
        failure=attempt.failure,
        seconds=(attempt.milliseconds or 0) / 1000,
    )
