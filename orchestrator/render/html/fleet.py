"""A fleet as its page shows it: what the ledger knows of each target, from far and from near."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.fleet.target import Target
from orchestrator.ledger.records import Heads, Seen, Standing
from orchestrator.render.html.looks import Look, look
from orchestrator.render.text import labels
from orchestrator.rollout.outcomes import State

_HEADS = 4
_TROUBLE = (State.FAILED, State.LOCKED, State.IN_DOUBT, State.BLOCKED, State.SKIPPED)


@dataclass(frozen=True, slots=True)
class Row:
    """A target, with what is known of it."""

    name: str
    environment: str
    database: str
    tenant: str
    labels: Mapping[str, str]
    """Those masked that sound like secrets."""
    heads: Heads | None
    """Where it was seen last; ``None`` for one that no run has seen."""
    since: int | None
    run: int | None
    """The newest run that had it."""
    state: Look | None
    """What became of it there."""
    place: str
    """``goal`` where it stands where the newest run goes, ``elsewhere``, or ``unseen``."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A database in an environment."""

    environment: str
    database: str
    count: int
    goal: Heads | None
    """Where the newest run brings it."""
    places: Mapping[str, int]
    """How many of its targets are at the goal, elsewhere, or were never seen."""
    troubles: Sequence[tuple[Look, int]]
    """What became of targets in their newest run, where that was nothing good."""
    heads: Sequence[tuple[Heads, int]]
    """Where most are."""
    hidden: int
    """How many more places there are."""
    run: int | None
    """The newest run that had any of it."""


@dataclass(frozen=True, slots=True)
class FleetView:
    """A fleet: environments as rows, databases as columns."""

    environments: Sequence[str]
    databases: Sequence[str]
    tiles: Mapping[tuple[str, str], Tile]
    count: int
    read_at: int
    """When its tenants were read, in ms."""
    problem: str
    """Why they could not be read; what the ledger knows is shown then."""


def rows(
    targets: Sequence[Target], standings: Mapping[str, Standing], seen: Mapping[str, Seen]
) -> list[Row]:
    """Return what is known of each target, in configured order."""
    goals = _goals(seen)
    found = []
    for target in targets:
        standing, last = standings.get(target.name), seen.get(target.name)
        heads = None if standing is None else standing.heads
        goal = goals.get((target.environment, target.database))
        found.append(
            Row(
                name=target.name,
                environment=target.environment,
                database=target.database,
                tenant=target.tenant or "",
                labels=labels({k: v for k, v in target.labels.items() if k != "name"}),
                heads=heads,
                since=None if standing is None else standing.since,
                run=None if last is None else last.run,
                state=None if last is None else look(last.state),
                place=_place(heads, goal),
            )
        )
    return found


def fleet_view(
    found: Sequence[Row], seen: Mapping[str, Seen], read_at: int, problem: str = ""
) -> FleetView:
    """Return a fleet from far."""
    goals = _goals(seen)
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in found:
        groups[row.environment, row.database].append(row)
    return FleetView(
        environments=list(dict.fromkeys(row.environment for row in found)),
        databases=list(dict.fromkeys(row.database for row in found)),
        tiles={key: _tile(key, of, goals.get(key)) for key, of in groups.items()},
        count=len(found),
        read_at=read_at,
        problem=problem,
    )


def _tile(key: tuple[str, str], of: Sequence[Row], goal: Heads | None) -> Tile:
    at = Counter(row.heads for row in of if row.heads is not None)
    bad = {look(state): 0 for state in _TROUBLE}
    for row in of:
        if row.state in bad:
            bad[row.state] += 1
    most = at.most_common()
    return Tile(
        environment=key[0],
        database=key[1],
        count=len(of),
        goal=goal,
        places=Counter(row.place for row in of),
        troubles=[(one, number) for one, number in bad.items() if number],
        heads=most[:_HEADS],
        hidden=max(0, len(most) - _HEADS),
        run=max((row.run for row in of if row.run is not None), default=None),
    )


def _goals(seen: Mapping[str, Seen]) -> dict[tuple[str, str], Heads | None]:
    """Return where the newest run of each database in each environment goes."""
    newest: dict[tuple[str, str], Seen] = {}
    for one in seen.values():
        key = one.environment, one.database
        if one.goal is not None and (key not in newest or newest[key].run < one.run):
            newest[key] = one
    return {key: one.goal for key, one in newest.items()}


def _place(heads: Heads | None, goal: Heads | None) -> str:
    if heads is None:
        return "unseen"
    return "goal" if goal is None or set(heads) == set(goal) else "elsewhere"
