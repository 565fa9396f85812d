"""A run that stopped, taken up again: after a pause, a gate, a failure, or any crash."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.dispatch.results import Result
from orchestrator.dispatch.workers import Workers
from orchestrator.errors import Refused, UsageError
from orchestrator.fleet.order import dependencies, reversed_
from orchestrator.fleet.target import Target
from orchestrator.ledger.hold import Hold
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
from orchestrator.runs.context import Conduct, Setting
from orchestrator.runs.from_ledger import (
    ENDED_BEFORE,
    Recorded,
    back_to,
    created_by,
    past_of,
    trails_of,
)
from orchestrator.runs.recorded_run import Course, Ended, conduct
from orchestrator.runs.starting import HELD_TO, outcomes_of, refuse_doubts
from orchestrator.runs.unchanged import assert_unchanged
from orchestrator.snapshot.at_head import nothing_to_do
from orchestrator.snapshot.reader import Survey
from orchestrator.worker.jobs import Verb

_ENDED = frozenset({RunState.DONE, RunState.ABORTED})
_SHOWN = 5
_RETRIED = frozenset({State.FAILED, State.LOCKED})
_OPEN = frozenset({None, State.NOT_STARTED, State.BLOCKED})


def resume(setting: Setting, id_: int, how: Conduct) -> Result:
    """Go on with a run where it stands. Targets whose attempt nobody saw end are asked first.

    Raises ``UsageError`` for a run that is over, ``Refused`` for one that somebody else holds,
    that is over its budget, or whose scripts or waves were changed since.
    """
    return _take_up(setting, id_, how, lambda _: [])


def retry(setting: Setting, id_: int, names: Sequence[str], how: Conduct) -> Result:
    """Let failed targets of a run be tried again, and go on with it.

    All that failed and changed nothing; or those of ``names``, which may also be in doubt or half
    applied, once somebody has mended them. Raises as ``resume``, and ``UsageError`` for names that
    can't be tried again.
    """

    def again(recorded: Recorded) -> list[str]:
        if not names:
            rows = recorded.rows.values()
            found = [row.name for row in rows if row.state in _RETRIED and not row.doubt]
            if not found:
                raise UsageError(
                    f"run {id_} has no failed target to retry{_doubtful(recorded)}\n"
                    f"  to go on with it, or to try its gate again: orchestrator resume {id_}"
                )
            return found
        for name in names:
            row = recorded.rows.get(name)
            if row is None:
                raise UsageError(f"run {id_} has no target {name}")
            if row.state not in {*_RETRIED, State.IN_DOUBT, State.SKIPPED}:
                raise UsageError(f"{name} did not fail in run {id_}: it is {row.state or 'open'}")
        return list(names)

    return _take_up(setting, id_, how, again, over=frozenset({RunState.ABORTED}))


def _doubtful(recorded: Recorded) -> str:
    rows = [row for row in recorded.rows.values() if row.doubt and row.state is not None]
    if not rows:
        return ""
    name = rows[0].name
    what = "is in doubt" if rows[0].state is State.IN_DOUBT else "was left half applied"
    again = f"orchestrator retry {recorded.run.id} {name}"
    return f"\n  {name} {what}: name it once it is mended, {again}"


def _take_up(
    setting: Setting,
    id_: int,
    how: Conduct,
    again: Callable[[Recorded], Sequence[str]],
    over: frozenset[RunState] = _ENDED,
) -> Result:
    began = time.monotonic()
    with setting.existing_ledger() as ledger:
        state = ledger.run(id_).state
        if state in over:
            raise UsageError(f"run {id_} is {state}: there is nothing to resume")
        with ledger.hold(id_, Holder.here()) as hold:
            recorded = Recorded.of(ledger, id_)
            targets = _targets(setting, recorded)
            setting.make_ready(targets)
            with Workers.of(setting.file, setting.secrets, setting.x, targets) as workers:
                setting.observer.begin(recorded.plan.verb, targets)
                survey = Survey(workers)
                assert_unchanged(id_, recorded.plan, workers, survey, targets)
                retried = again(recorded)
                _assert_within_budget(recorded, retried)
                _tell(ledger, hold, recorded, targets, retried, how)
                recorded = Recorded.of(ledger, id_)
                _assert_alone(ledger, recorded)
                made = _course(setting, ledger, survey, recorded, targets)
                ended = conduct(
                    setting, workers, ledger, hold, made, how, lambda at: RunResumed(at, how.by)
                )
                interrupted = workers.interrupted
            return _result(ledger, targets, made, ended, interrupted=interrupted, began=began)


def _targets(setting: Setting, recorded: Recorded) -> tuple[Target, ...]:
    """Return the targets of the run that are there, in the order of its plan."""
    environments = dict.fromkeys(target.environment for target in recorded.plan.targets)
    known = setting.file.config.environments
    there = setting.find([name for name in environments if name in known])
    found = {target.name: target for target in there}
    return tuple(found[t.name] for t in recorded.plan.targets if t.name in found)


def _tell(
    ledger: Ledger,
    hold: Hold,
    recorded: Recorded,
    targets: Sequence[Target],
    retried: Sequence[str],
    how: Conduct,
) -> None:
    """Record which attempts nobody will end, and which targets are tried again or are gone."""
    now, there = ledger.now(), {target.name for target in targets}
    left = ledger.attempts(recorded.run.id, Which.OPEN)
    events: list[Event] = [AttemptLost(now, a.target, a.number, ENDED_BEFORE) for a in left]
    events += [TargetRetried(now, name, how.by) for name in retried]
    events += [
        TargetSkipped(now, name, how.by, "it is not in environments.toml any more")
        for name, row in recorded.rows.items()
        if name not in there and row.state in {None, *_RETRIED}
    ]
    if events:
        hold.write(events)


def _assert_within_budget(recorded: Recorded, retried: Sequence[str]) -> None:
    """Raise ``Refused`` where more targets of a wave failed than may, besides those ``retried``."""
    id_, again = recorded.run.id, set(retried)
    for at, wave in enumerate(recorded.plan.waves):
        failed = [
            row.name
            for row in recorded.rows.values()
            if row.wave == at and row.state in {*_RETRIED, State.IN_DOUBT} and row.name not in again
        ]
        if len(failed) > wave.budget:
            named = [*retried, *failed] if len(retried) + len(failed) <= _SHOWN else []
            raise Refused(
                f"{len(failed):,} of {wave.name} failed, and at most {wave.budget:,} may: "
                f"{', '.join(failed[:5])}{', …' if len(failed) > 5 else ''}\n"
                f"  once they are mended, {' '.join(['orchestrator retry', str(id_), *named])}; "
                f"or go on without one: "
                f"orchestrator skip {id_} {failed[0]} --reason …"
            )


def _assert_alone(ledger: Ledger, recorded: Recorded) -> None:
    """Raise ``Refused`` where other runs came in between, and are not done with its targets."""
    id_ = recorded.run.id
    left = [row.name for row in recorded.rows.values() if row.state in _OPEN]
    refuse_doubts(ledger, left, but=id_)
    others = {run: name for run, name in ledger.unfinished(left).items() if run != id_}
    if others:
        other, name = min(others.items())
        raise Refused(
            f"run {other} is {ledger.run(other).state}, and has still to come to {name}\n"
            f"  go on with it: orchestrator resume {other}; or give one of the two up: "
            f"orchestrator abort {other}, or abort {id_}"
        )


def _course(
    setting: Setting,
    ledger: Ledger,
    survey: Survey,
    recorded: Recorded,
    targets: Sequence[Target],
) -> Course:
    plan, id_ = recorded.plan, recorded.run.id
    verb = Verb(plan.verb)
    needs = dependencies(targets, setting.file.config)
    if verb is Verb.DOWNGRADE:
        _, needs = reversed_(targets, needs)
    trails = trails_of(ledger, id_, recorded.rows)
    plain = verb is Verb.UPGRADE and plan.revision == "heads"
    idle = {target.name for target in plan.targets if target.idle} - trails.keys()
    candidates = [t for t in targets if t.name in idle and recorded.rows[t.name].state is None]
    return Course(
        id=id_,
        plan=plan,
        targets={target.name: target for target in targets},
        needs=needs,
        histories=survey.histories,
        past=past_of(ledger, id_, recorded),
        trails=trails,
        settled=_fresh(survey, candidates) if plain else lambda _: None,
        back_to=back_to(plan),
        created=created_by(ledger, plan.parent),
        purge=bool(plan.selection.get("purge")),
        held_to=bool(plan.selection.get(HELD_TO)),
    )


def _fresh(survey: Survey, candidates: Sequence[Target]) -> Callable[[Target], Outcome | None]:
    at_head = survey.at_head(candidates)
    return nothing_to_do(survey, [t for t in candidates if t.name in at_head])


def _result(
    ledger: Ledger,
    targets: Sequence[Target],
    made: Course,
    ended: Ended,
    *,
    interrupted: bool,
    began: float,
) -> Result:
    """Return how every target of the run stands, those included that earlier processes did."""
    outcomes = outcomes_of(ended)
    newest = {a.target: a for a in ledger.attempts(made.id, Which.NEWEST)}
    for row in ledger.targets(made.id):
        if row.name in outcomes and row.name not in ended.outcomes and row.state is not None:
            outcomes[row.name] = _outcome(row, newest.get(row.name))
    return Result(
        made.plan.verb,
        tuple(targets),
        tuple(outcomes[target.name] for target in targets),
        interrupted=interrupted,
        seconds=round(time.monotonic() - began, 3),
        run=ended.end,
    )


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
