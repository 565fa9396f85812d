"""What pages and metrics ask: maps of runs, and what is known of targets over many runs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from orchestrator.ledger import codec
from orchestrator.ledger import records as r
from orchestrator.ledger.reading import (
    UNFINISHED,
    runs_of,
    select_runs,
    select_runs_of,
    standing_of_row,
    state_of,
)
from orchestrator.ledger.tables import attempts, requests, runs, standings, targets, waves
from orchestrator.rollout.events import RunState, WaveState
from orchestrator.rollout.outcomes import State

_RECENT = 100


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


def cells_of(connection: Connection, run: int) -> list[r.Cell]:
    """Read what the map of a run shows, in the order of the plan."""
    c = targets.c
    name = func.coalesce(c.long_name, c.name)
    found = select(c.position, c.wave, name, c.state).where(c.run == run).order_by(c.position)
    return [r.Cell(*row[:3], state_of(row[3])) for row in connection.execute(found)]


def states_of(connection: Connection, run: int) -> list[tuple[int, State | None]]:
    """Read where each target of a run stands, and nothing else of it."""
    c = targets.c
    found = select(c.position, c.state).where(c.run == run).order_by(c.position)
    return [(position, state_of(state)) for position, state in connection.execute(found)]


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
    going = select(runs.c.id).where(runs.c.state.in_(UNFINISHED))
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
            (environment, database, state_of(state)): n
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
            for run, name, since in rows(waiting.where(runs.c.state.in_(UNFINISHED)))
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
                    state_of(row.state),
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
    return [(known[run], position, state_of(state)) for run, position, state in rows]


def standing_of(connection: Connection, target: str) -> list[r.Standing]:
    """Read at which heads a target has been since when, newest first."""
    c = standings.c
    found = select(standings).where(c.name == codec.key(target)).order_by(c.id.desc())
    return [standing_of_row(row) for row in connection.execute(found)]


def heads_now(connection: Connection) -> dict[str, r.Standing]:
    """Read at which heads each target was seen last."""
    c = standings.c
    newest = select(func.max(c.id).label("id")).group_by(c.name).subquery()
    found = select(standings).join(newest, newest.c.id == c.id)
    return {one.target: one for one in map(standing_of_row, connection.execute(found))}


def asked_of(connection: Connection) -> list[r.AskedRecord]:
    """Read what is asked of runs, oldest first."""
    c = requests.c
    found = select(c.run, c.what, c.by, c.reason, c.targets, c.at).order_by(c.at, c.run)
    return [
        r.AskedRecord(*row[:4], codec.heads_of(row[4]) or (), row[5])
        for row in connection.execute(found)
    ]
