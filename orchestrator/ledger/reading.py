"""Rows into records."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, or_, select, true

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
    requests,
    runs,
    standings,
    targets,
    waves,
)
from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import State

_UNFINISHED = [s.value for s in (RunState.RUNNING, RunState.WAITING, RunState.PAUSED)]
_FAILED = [s.value for s in (State.FAILED, State.LOCKED, State.IN_DOUBT)] + [r.LOST]
_SAMPLE = 300
_RECENT = 100
_ALL_BUT_PLAN = [column for column in runs.c if column.name != "plan"]


def select_runs(limit: int | None, *, unfinished: bool) -> Select[Any]:
    """SQL for the newest runs."""
    found = select(*_ALL_BUT_PLAN).order_by(runs.c.id.desc()).limit(limit)
    return found.where(runs.c.state.in_(_UNFINISHED)) if unfinished else found


def select_filtered(wanted: r.RunFilter, limit: int) -> Select[Any]:
    """SQL for the newest runs that are wanted."""
    found = select_runs(limit, unfinished=False)
    if wanted.state:
        found = found.where(runs.c.state == wanted.state)
    if wanted.verb:
        found = found.where(runs.c.verb == wanted.verb)
    if wanted.by:
        found = found.where(runs.c.by.contains(wanted.by, autoescape=True))
    return found if wanted.before is None else found.where(runs.c.id < wanted.before)


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
            tallies[run][_state(state)] = count
    return tallies


def _run(row: Row[Any], tally: dict[State | None, int]) -> r.RunRecord:
    values = row._asdict()
    holder = values["holder"]
    values["holder"] = str(Holder.of_text(holder)) if holder else None
    values["state"] = RunState(values["state"])
    return r.RunRecord(**values, tally=tally)


def _state(value: str | None) -> State | None:
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
        state=_state(row.state),
        attempts=row.attempts,
        blocked_by=row.blocked_by,
        settled_at=row.settled_at,
        doubt=row.doubt,
    )


def cells_of(connection: Connection, run: int) -> list[r.Cell]:
    """Read what the map of a run shows, in the order of the plan."""
    c = targets.c
    name = func.coalesce(c.long_name, c.name)
    found = select(c.position, c.wave, name, c.state).where(c.run == run).order_by(c.position)
    return [r.Cell(*row[:3], _state(row[3])) for row in connection.execute(found)]


def states_of(connection: Connection, run: int) -> list[tuple[int, State | None]]:
    """Read where each target of a run stands, and nothing else of it."""
    c = targets.c
    found = select(c.position, c.state).where(c.run == run).order_by(c.position)
    return [(position, _state(state)) for position, state in connection.execute(found)]


def paces_of(connection: Connection, run: int, since: int) -> list[r.Pace]:
    """Read how long attempts took that ended after a time, in the order of their ends."""
    c = attempts.c
    found = select(c.ended_at, func.coalesce(c.milliseconds, 0), c.state)
    found = found.where(c.run == run, c.ended_at > since).order_by(c.ended_at)
    return [
        r.Pace(at, took, "lost" if state == r.LOST else State(state))
        for at, took, state in connection.execute(found)
        if state is not None
    ]


def mean_of(connection: Connection, run: int) -> float | None:
    """Read how many milliseconds successful attempts of a run took in the mean."""
    c = attempts.c
    took = select(func.avg(c.milliseconds)).where(c.run == run, c.state == State.DONE.value)
    found = connection.execute(took).scalar()
    return None if found is None else float(found)


def totals_of(connection: Connection, bounds: Sequence[int], at: int) -> r.Totals:
    """Count what there is. ``bounds``: milliseconds, growing."""
    a, t = attempts.c, targets.c
    by_state = select(runs.c.verb, runs.c.state, func.count()).group_by(runs.c.verb, runs.c.state)
    going = select(runs.c.id).where(runs.c.state.in_(_UNFINISHED))
    open_ = select(t.environment, t.database, t.state, func.count()).where(t.run.in_(going))
    ended = select(a.environment, a.database, a.state, func.count()).where(a.state.is_not(None))
    good = [State.DONE.value, State.UNCHANGED.value]
    last = select(t.environment, t.database, func.max(t.settled_at)).where(t.state.in_(good))
    gate = (waves.c.run == runs.c.id) & (waves.c.state == WaveState.GATE.value)
    waiting = select(runs.c.id, waves.c.name, waves.c.ended_at).join(waves, gate)
    rows = connection.execute
    return r.Totals(
        runs={(verb, RunState(state)): n for verb, state, n in rows(by_state)},
        targets={
            (environment, database, _state(state)): n
            for environment, database, state, n in rows(
                open_.group_by(t.environment, t.database, t.state)
            )
        },
        attempts={
            (environment, database, "lost" if state == r.LOST else State(state)): n
            for environment, database, state, n in rows(
                ended.group_by(a.environment, a.database, a.state)
            )
        },
        durations=_durations(connection, bounds),
        at_gates=tuple(
            (run, name, since)
            for run, name, since in rows(waiting.where(runs.c.state.in_(_UNFINISHED)))
            if since is not None
        ),
        succeeded={
            (environment, database): when
            for environment, database, when in rows(last.group_by(t.environment, t.database))
            if when is not None
        },
        now=at,
    )


def _durations(connection: Connection, bounds: Sequence[int]) -> tuple[r.Durations, ...]:
    a = attempts.c
    within = [func.sum(case((a.milliseconds <= bound, 1), else_=0)) for bound in bounds]
    found = select(
        a.environment, a.database, func.count(), func.sum(a.milliseconds), *within
    ).where(a.milliseconds.is_not(None))
    return tuple(
        r.Durations(row[0], row[1], tuple(int(n) for n in row[4:]), row[2], int(row[3]))
        for row in connection.execute(found.group_by(a.environment, a.database))
    )


def seen_of(connection: Connection) -> dict[str, r.Seen]:
    """Read what the newest run that had each target has to say of it."""
    c = targets.c
    newest = select(func.max(c.run), c.name).group_by(c.name)
    run_of: dict[str, int] = {name: run for run, name in connection.execute(newest)}
    found: dict[str, r.Seen] = {}
    # Run by run: joined with itself, SQLite walked through a whole run for each of its targets.
    for run in sorted(set(run_of.values())):
        columns = (c.environment, c.database, c.state, c.goal, c.name, c.long_name)
        for row in connection.execute(select(*columns).where(c.run == run)):
            if run_of[row.name] == run:
                found[row.long_name or row.name] = r.Seen(
                    run,
                    row.environment,
                    row.database,
                    _state(row.state),
                    codec.heads_of(row.goal),
                )
    return found


def runs_with(connection: Connection, target: str) -> list[tuple[r.RunRecord, int, State | None]]:
    """Read which runs had a target, newest first, its position and where it stood in each."""
    c = targets.c
    found = select(c.run, c.position, c.state).where(c.name == codec.key(target))
    rows = connection.execute(found.order_by(c.run.desc()).limit(_RECENT)).all()
    ids = [row.run for row in rows]
    known = {one.id: one for one in runs_of(connection, select_runs_of(ids))}
    return [(known[run], position, _state(state)) for run, position, state in rows]


def standing_of(connection: Connection, target: str) -> list[r.Standing]:
    """Read at which heads a target has been since when, newest first."""
    c = standings.c
    found = select(standings).where(c.name == codec.key(target)).order_by(c.id.desc())
    return [
        r.Standing(
            target,
            row.environment,
            row.database,
            codec.heads_of(row.heads) or (),
            row.since,
            row.run,
        )
        for row in connection.execute(found)
    ]


def heads_now(connection: Connection) -> dict[str, r.Standing]:
    """Read at which heads each target was seen last."""
    c = standings.c
    newest = select(func.max(c.id).label("id")).group_by(c.name).subquery()
    found = select(standings).join(newest, newest.c.id == c.id)
    return {
        (name := row.long_name or row.name): r.Standing(
            name,
            row.environment,
            row.database,
            codec.heads_of(row.heads) or (),
            row.since,
            row.run,
        )
        for row in connection.execute(found)
    }


def asked_of(connection: Connection) -> list[r.AskedRecord]:
    """Read what is asked of runs, oldest first."""
    c = requests.c
    found = select(c.run, c.what, c.by, c.reason, c.targets, c.at).order_by(c.at, c.run)
    return [
        r.AskedRecord(*row[:4], codec.heads_of(row[4]) or (), row[5])
        for row in connection.execute(found)
    ]


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
        state="lost" if row.state == r.LOST else _state(row.state),
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
        name = row.long_name or row.name
        heads = codec.heads_of(row.heads) or ()
        found[name].append(
            r.Standing(name, row.environment, row.database, heads, row.since, row.run)
        )
    return dict(found)


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
    going = runs.c.state.in_(_UNFINISHED)
    found = select(c.run, name).join(runs, runs.c.id == c.run)
    rows = connection.execute(found.where(going, open_, c.name.in_(keys)).group_by(c.run))
    return {row[0]: row[1] for row in rows}


def passed_of(connection: Connection, environment: str, wave: str) -> list[str]:
    """Read the plans of the newest runs in which a wave passed."""
    c = waves.c
    passed = (c.environment == environment, c.name == wave, c.state == WaveState.PASSED.value)
    found = select(runs.c.plan).join(waves, c.run == runs.c.id).where(*passed)
    return list(connection.execute(found.order_by(runs.c.id.desc()).limit(_RECENT)).scalars())
