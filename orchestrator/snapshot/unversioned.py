"""Targets without a revision that are not new all the same: something is in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.fleet.schema import Thing
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.snapshot.classes import by_schema, dialect_of, schema_classes
from orchestrator.snapshot.reader import SnapshotReader

_SHOWN = 3


def told_apart(
    snapshot: SnapshotReader, targets: Sequence[Target], outcomes: Mapping[str, Outcome]
) -> dict[str, Outcome]:
    """Return the outcomes of ``status``, with those that have tables and no revision as such.

    Where targets of their database with the same schema are at a revision, it is named.
    """
    found = dict(outcomes)
    empty = [target for target in targets if outcomes[target.name].state is State.EMPTY]
    seen = [target.name for target in empty if target.name in snapshot.readings]
    prints = {name: of for name in seen if (of := outcomes[name].fingerprint) is not None}
    prints |= snapshot.fingerprints([name for name in seen if name not in prints])
    first = {prints[name]: name for name in reversed(prints)}  # equal ones hold the same
    things = snapshot.things(list(first.values()))
    standing = by_schema(schema_classes((target, outcomes[target.name]) for target in targets))
    for target in empty:
        held = things.get(first.get(prints.get(target.name, ""), ""), ())
        tables = [] if isinstance(held, Exception) else tables_in(held)
        if tables:
            schema = target.database, dialect_of(outcomes[target.name]), prints[target.name]
            sources = [of.heads for of in standing.get(schema, ())]
            heads = sources[0] if len(sources) == 1 else ()
            found[target.name] = replace(
                outcomes[target.name],
                state=State.UNVERSIONED,
                failure=_why(target, tables, heads, has_table=target.name in snapshot.versioned),
            )
    return found


def tables_in(things: Iterable[Thing]) -> list[str]:
    """Return the names of all tables."""
    return sorted(
        f"{thing.schema}.{thing.name}".lstrip(".")
        for thing in things
        if thing.kind.endswith("table") and not thing.table
    )


def _why(
    target: Target, tables: Sequence[str], heads: tuple[str, ...], *, has_table: bool
) -> Failure:
    what = "its version table is empty" if has_table else "it has no version table"
    if heads:
        return Failure(
            f"{what}, its schema is that of {', '.join(heads)}",
            f"orchestrator stamp {target.name} --revision {','.join(heads)}",
        )
    shown = ", ".join(tables[:_SHOWN]) + (", …" if len(tables) > _SHOWN else "")
    return Failure(
        f"{what}, and tables are in it: {shown}",
        f"orchestrator identify {target.name} tells which revision it is at; then stamp it",
    )
