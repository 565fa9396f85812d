"""At which heads each target has been, since when: a row only where they differ from the last."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select

from orchestrator.ledger import codec
from orchestrator.ledger.changes import Sighting
from orchestrator.ledger.tables import standings

_MANY = 500
_Known = tuple[int, str]
"""Since when, at which heads."""


def _last_of_names() -> Select[Any]:
    newest = (
        select(func.max(standings.c.id).label("id"))
        .where(standings.c.name.in_(bindparam("names", expanding=True)))
        .group_by(standings.c.name)
        .subquery()
    )
    # Joined, as an IN would make MySQL walk through all there are.
    found = select(standings.c.name, standings.c.since, standings.c.heads)
    return found.join(newest, newest.c.id == standings.c.id)


# Made once: with every target that is settled it is asked, and making it took as long as asking.
_LAST = _last_of_names()


def record(connection: Connection, sightings: Iterable[Sighting], run: int | None) -> None:
    """Write what differs from what is known. Writing the same again writes nothing."""
    left = iter(sightings)
    while several := list(islice(left, _MANY)):
        _record(connection, several, run)


def _record(connection: Connection, sightings: Sequence[Sighting], run: int | None) -> None:
    names = {codec.key(sighting.target) for sighting in sightings}
    known = _last(connection, names)
    rows: list[dict[str, Any]] = []
    for sighting in sightings:
        name, heads = codec.key(sighting.target), codec.heads_text(sighting.heads) or "[]"
        last = known.get(name)
        if last is not None and last[0] >= sighting.at:
            # Written before, or by a clock that went back: compare with what held then.
            last = _at(connection, name, heads, sighting.at, rows) or last
        if last is None or last[1] != heads:
            rows.append(_row(sighting, name, heads, run))
            known[name] = (sighting.at, heads)
    if rows:
        connection.execute(insert(standings), rows)


def _last(connection: Connection, names: Iterable[str]) -> dict[str, _Known]:
    rows = connection.execute(_LAST, {"names": sorted(names)})
    return {row.name: (row.since, row.heads) for row in rows}


def _at(
    connection: Connection, name: str, heads: str, at: int, rows: Sequence[dict[str, Any]]
) -> _Known | None:
    """What held at a time; where several came in one millisecond, the one that is asked for."""
    found = (
        select(standings.c.since, standings.c.heads)
        .where(standings.c.name == name, standings.c.since <= at)
        .order_by(standings.c.since.desc(), standings.c.id.desc())
        .limit(10)
    )
    there = [(row.since, row.heads) for row in connection.execute(found)]
    there += [(row["since"], row["heads"]) for row in rows if row["name"] == name]
    held = [known for known in there if known[0] <= at]
    return next((known for known in held if known == (at, heads)), held[0] if held else None)


def _row(sighting: Sighting, name: str, heads: str, run: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "long_name": codec.long_name(sighting.target),
        "environment": codec.key(sighting.place.environment),
        "database": codec.key(sighting.place.database),
        "heads": heads,
        "since": sighting.at,
        "run": run,
    }
