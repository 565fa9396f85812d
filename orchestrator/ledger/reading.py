"""Rows into records."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select, true

from orchestrator.ledger import codec
from orchestrator.ledger import records as r
from orchestrator.ledger.changes import Place
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.tables import (
    approvals,
    attempts,
    gates,
    overrides,
    remarks,
    runs,
    standings,
    targets,
    waves,
)
from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import State

UNFINISHED = [s.value for s in (RunState.RUNNING, RunState.WAITING, RunState.PAUSED)]
_FAILED = [s.value for s in (State.FAILED, State.LOCKED, State.IN_DOUBT)] + [r.LOST]
_SAMPLE = 300
_RECENT = 100
_ALL_BUT_PLAN = [column for column in runs.c if column.name != "plan"]


def select_runs(limit: int | None, *, unfinished: bool) -> Select[Any]:
    """SQL for the newest runs."""
    found = select(*_ALL_BUT_PLAN).order_by(runs.c.id.desc()).limit(limit)
    return found.where(runs.c.state.in_(UNFINISHED)) if unfinished else found


def select_runs_of(ids: Sequence[int]) -> Select[Any]:
    """SQL for some runs."""
    return select(*_ALL_BUT_PLAN).where(runs.c.id.in_(ids))


def select_run(run: int) -> Select[Any]:
    """SQL for one run."""
    return select(*_ALL_BUT_PLAN).where(runs.c.id == run)


def runs_of(connection: Connection, statement: Select[Any]) -> list[r.RunRecord]:
    """Read runs, with the tally of their targets."""
    rows = connection.execute(statement).all()
    tallies = _tallies(connection, [row.id for row in rows])
    return [_run(row, tallies[row.id]) for row in rows]


def _tallies(
    connection: Connection, ids: Sequence[int]
) -> defaultdict[int, dict[State | None, int]]:
    tallies: defaultdict[int, dict[State | None, int]] = defaultdict(dict)
    if ids:
        counted = select(targets.c.run, targets.c.state, func.count()).where(targets.c.run.in_(ids))
        for run, state, count in connection.execute(
            counted.group_by(targets.c.run, targets.c.state)
        ):
            tallies[run][state_of(state)] = count
    return tallies


def _run(row: Row[Any], tally: dict[State | None, int]) -> r.RunRecord:
    values = row._asdict()
    holder = values["holder"]
    values["holder"] = str(Holder.of_text(holder)) if holder else None
    values["state"] = RunState(values["state"])
    return r.RunRecord(**values, tally=tally)


def state_of(value: str | None) -> State | None:
    return None if value is None else State(value)


def waves_of(connection: Connection, run: int) -> list[r.WaveRecord]:
    """Read the waves of a run, in order."""
    columns = [column for column in waves.c if column.name != "run"]
    found = select(*columns).where(waves.c.run == run).order_by(waves.c.position)
    rows = (row._asdict() for row in connection.execute(found))
    return [r.WaveRecord(**{**row, "state": WaveState(row["state"])}) for row in rows]


def select_targets(run: int, states: Iterable[State | None] | None) -> Select[Any]:
    """SQL for a run's targets, those in some states only or all of them."""
    found = select(targets).where(targets.c.run == run).order_by(targets.c.position)
    if states is None:
        return found
    wanted = set(states)
    is_one = targets.c.state.in_(sorted(state.value for state in wanted if state is not None))
    return found.where(is_one | targets.c.state.is_(None) if None in wanted else is_one)


def targets_of(
    connection: Connection, run: int, states: Iterable[State | None] | None
) -> list[r.TargetRecord]:
    """Read targets, in the order of the plan."""
    return [_target(row) for row in connection.execute(select_targets(run, states))]


def _target(row: Row[Any]) -> r.TargetRecord:
    return r.TargetRecord(
        position=row.position,
        name=row.long_name or row.name,
        environment=row.environment,
        database=row.database,
        server=row.server,
        wave=row.wave,
        heads=codec.heads_of(row.heads),
        goal=codec.heads_of(row.goal),
        schema_class=row.schema_class,
        detail=codec.detail_of(row.detail),
        state=state_of(row.state),
        attempts=row.attempts,
        blocked_by=row.blocked_by,
        settled_at=row.settled_at,
        doubt=row.doubt,
    )


def places_of(connection: Connection, run: int) -> dict[str, Place]:
    """Read where each target of a run is in its tables."""
    c = targets.c
    found = select(c.name, c.long_name, c.position, c.environment, c.database)
    places: dict[str, Place] = {}
    shared: dict[str, str] = {}  # a hundred thousand targets have few environments
    for name, long, position, environment, database in connection.execute(
        found.where(c.run == run)
    ):
        place = Place(
            position,
            shared.setdefault(environment, environment),
            shared.setdefault(database, database),
        )
        places[long or name] = place
    return places


def select_attempts(run: int, which: r.Which, target: str | None, limit: int | None) -> Select[Any]:
    """SQL for attempts of a run with their targets' names."""
    a = attempts.c
    same = (targets.c.run == a.run) & (targets.c.position == a.position)
    found = select(attempts, targets.c.name, targets.c.long_name).join(targets, same)
    found = found.where(a.run == run).limit(limit)
    if target is not None:
        found = found.where(targets.c.run == run, targets.c.name == codec.key(target))
    match which:
        case r.Which.NEWEST:
            found = found.where(a.number == targets.c.attempts)
        case r.Which.OPEN:
            found = found.where(a.state.is_(None))
        case r.Which.FAILED:
            found = found.where(a.state.in_(_FAILED))
        case r.Which.SLOWEST:
            return found.where(a.milliseconds.is_not(None)).order_by(a.milliseconds.desc())
    return found.order_by(a.position, a.number)


def attempts_of(connection: Connection, statement: Select[Any]) -> list[r.AttemptRecord]:
    """Read attempts."""
    return [_attempt(row) for row in connection.execute(statement)]


def _attempt(row: Row[Any]) -> r.AttemptRecord:
    return r.AttemptRecord(
        run=row.run,
        position=row.position,
        target=row.long_name or row.name,
        number=row.number,
        environment=row.environment,
        database=row.database,
        started_at=row.started_at,
        ended_at=row.ended_at,
        state="lost" if row.state == r.LOST else state_of(row.state),
        heads_before=codec.heads_of(row.heads_before),
        heads_after=codec.heads_of(row.heads_after),
        revisions=codec.heads_of(row.revisions) or (),
        committing=codec.committing_of(row.committing),
        failure=codec.failure_of(row.failure),
        milliseconds=row.milliseconds,
        replayed=row.replayed,
    )


def replayed_of(connection: Connection, run: int) -> int:
    """Read how many revisions all attempts of a run replayed together."""
    total = select(func.sum(attempts.c.replayed)).where(attempts.c.run == run)
    return int(connection.execute(total).scalar() or 0)


def gates_of(connection: Connection, run: int) -> list[r.GateRecord]:
    """Read how each condition of each gate went last."""
    found = select(gates).where(gates.c.run == run)
    tries: defaultdict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(found):
        tries[row.wave, row.kind].append(row)
    # In one millisecond a failed try comes before what let it pass.
    several = (sorted(rows, key=lambda x: (x.at, x.state != "failed")) for rows in tries.values())
    last = [(rows[-1], len(rows)) for rows in several]
    return [
        r.GateRecord(row.wave, GateKind(row.kind), row.state, row.detail, row.at, count)
        for row, count in sorted(last, key=lambda pair: (pair[0].wave, pair[0].at))
    ]


def approvals_of(connection: Connection, run: int) -> list[r.ApprovalRecord]:
    """Read who approved what, oldest first."""
    c = approvals.c
    found = select(c.wave, c.by, c.note, c.at).where(c.run == run).order_by(c.at)
    return [r.ApprovalRecord(*row) for row in connection.execute(found)]


def overrides_of(connection: Connection, run: int) -> list[r.OverrideRecord]:
    """Read who passed a closed gate, oldest first."""
    c = overrides.c
    found = select(c.wave, c.kind, c.by, c.reason, c.detail, c.at)
    rows = connection.execute(found.where(c.run == run).order_by(c.at))
    return [r.OverrideRecord(row[0], GateKind(row[1]), *row[2:]) for row in rows]


def remarks_of(connection: Connection, run: int) -> list[r.RemarkRecord]:
    """Read what somebody decided about targets, oldest first."""
    c = remarks.c
    same = (targets.c.run == c.run) & (targets.c.position == c.position)
    name = func.coalesce(targets.c.long_name, targets.c.name)
    found = select(name, c.what, c.by, c.reason, c.at).join(targets, same)
    ordered = found.where(c.run == run).order_by(c.at, c.position)
    return [r.RemarkRecord(*row) for row in connection.execute(ordered)]


def select_doubts(keys: Sequence[str] | None) -> Select[Any]:
    """SQL for targets in doubt, with what is known of their last attempts."""
    a, t = attempts.c, targets.c
    last = (a.run == t.run) & (a.position == t.position) & (a.number == t.attempts)
    found = select(targets, a.ended_at, a.heads_before, a.committing, a.failure)
    found = found.select_from(targets).outerjoin(attempts, last).where(t.doubt == true())
    if keys is not None:
        found = found.where(t.name.in_(keys))
    return found.order_by(t.run, t.position)


def doubts_of(connection: Connection, keys: Sequence[str] | None) -> list[r.DoubtRecord]:
    """Read targets in doubt."""
    return [
        r.DoubtRecord(
            run=row.run,
            target=row.long_name or row.name,
            state=None if row.state is None else State(row.state),
            environment=row.environment,
            database=row.database,
            number=row.attempts,
            since=row.ended_at or row.settled_at,
            heads_before=codec.heads_of(row.heads_before),
            committing=codec.committing_of(row.committing),
            failure=codec.failure_of(row.failure),
        )
        for row in connection.execute(select_doubts(keys))
    ]


def select_standings(environment: str, database: str) -> Select[Any]:
    """SQL for what is known of the targets of a database in an environment, newest first."""
    c = standings.c
    found = select(standings).order_by(c.id.desc())
    return found.where(c.environment == codec.key(environment), c.database == codec.key(database))


def standings_of(
    connection: Connection, environment: str, database: str
) -> dict[str, list[r.Standing]]:
    """Read at which heads targets were, newest first."""
    found: defaultdict[str, list[r.Standing]] = defaultdict(list)
    for row in connection.execute(select_standings(environment, database)):
        one = standing_of_row(row)
        found[one.target].append(one)
    return dict(found)


def standing_of_row(row: Row[Any]) -> r.Standing:
    """Return what a row says of where a target was."""
    name, heads = row.long_name or row.name, codec.heads_of(row.heads) or ()
    return r.Standing(name, row.environment, row.database, heads, row.since, row.run)


def select_duration(database: str, path: str) -> Select[Any]:
    """SQL for how long the last successful attempts of one kind took."""
    c = attempts.c
    sample = (
        select(c.milliseconds)
        .where(c.path == path, c.database == codec.key(database))
        .order_by(c.ended_at.desc())
        .limit(_SAMPLE)
        .subquery()
    )
    return select(func.avg(sample.c.milliseconds), func.count())


def durations_of(
    connection: Connection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], r.Estimate]:
    """Read how long such work took, where there was some."""
    found = {}
    for database, path in dict.fromkeys(keys):
        mean, count = connection.execute(select_duration(database, path)).one()
        if count:
            found[database, path] = r.Estimate(float(mean), count)
    return found


def unfinished_of(connection: Connection, keys: Sequence[str]) -> dict[int, str]:
    """Read which runs have still to come to targets of some keys."""
    c = targets.c
    name = func.min(func.coalesce(c.long_name, c.name))
    open_ = or_(c.state.is_(None), c.state == State.NOT_STARTED.value)
    going = runs.c.state.in_(UNFINISHED)
    found = select(c.run, name).join(runs, runs.c.id == c.run)
    rows = connection.execute(found.where(going, open_, c.name.in_(keys)).group_by(c.run))
    return {row[0]: row[1] for row in rows}


def passed_of(connection: Connection, environment: str, wave: str) -> list[str]:
    """Read the plans of the newest runs in which a wave passed."""
    c = waves.c
    passed = (c.environment == environment, c.name == wave, c.state == WaveState.PASSED.value)
    found = select(runs.c.plan).join(waves, c.run == runs.c.id).where(*passed)
    return list(connection.execute(found.order_by(runs.c.id.desc()).limit(_RECENT)).scalars())
