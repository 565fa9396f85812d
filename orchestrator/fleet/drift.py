"""How one schema differs from another, thing by thing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.fleet.schema import Thing


class Change(StrEnum):
    """What is odd about a thing."""

    MISSING = "missing"  # only the baseline has it
    EXTRA = "extra"  # the baseline does not have it
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference from a baseline."""

    change: Change
    kind: str
    """``table``, ``column``, ``index``, …"""
    table: str
    name: str
    schema: str = ""
    detail: str = ""
    """Which detail was changed: ``type``, ``default``, …; empty for what is missing or extra."""
    value: str | None = None
    """The detail's; of a thing that is extra or missing, all that is known of it."""
    baseline: str | None = None
    """The detail's in the baseline; ``None`` where it has none."""


_Key = tuple[str, str, str, str]

# Details that say the same as another one in other words, or that are not told as they are.
_WRITTEN = "written"
_ORDER = "position"
_OF_CONSTRAINT = "of constraint"


def drift(things: Iterable[Thing], baseline: Iterable[Thing]) -> tuple[Drift, ...]:
    """Return how ``things`` differ from those of a baseline, table by table.

    Of a table that is missing or extra nothing else is told; of its columns' order, only that it is
    another one. Two different sets of things never have no difference.
    """
    ours, theirs = _by_key(things), _by_key(baseline)
    found = [
        *_only(ours, theirs, Change.EXTRA),
        *_only(theirs, ours, Change.MISSING),
        *(d for key in ours.keys() & theirs.keys() for d in _changed(ours[key], theirs[key])),
        *_reordered(ours, theirs),
    ]
    told = {(d.schema, d.table or d.name) for d in found if d.detail != _WRITTEN}
    kept = [d for d in found if d.detail != _WRITTEN or (d.schema, d.name) not in told]
    return tuple(sorted(kept, key=lambda d: (d.schema, d.table or d.name, d.kind, d.name)))


def _by_key(things: Iterable[Thing]) -> dict[_Key, Thing]:
    return {(thing.schema, thing.kind, thing.table, thing.name): thing for thing in things}


def _only(
    ones: Mapping[_Key, Thing], others: Mapping[_Key, Thing], change: Change
) -> Iterator[Drift]:
    only = {key: thing for key, thing in ones.items() if key not in others}
    whole = {(t.schema, t.name) for t in only.values() if not t.table}
    for thing in only.values():
        if (thing.schema, thing.table) in whole or _is_shadow(thing, only):
            continue
        value = _told(thing)
        if not thing.table and thing.kind.endswith("table"):
            columns = (k[3] for k in ones if k[:3] == (thing.schema, "column", thing.name))
            value = f"({', '.join(columns)})"
        yield _of(thing, change, value=value or None)


def _is_shadow(thing: Thing, only: Mapping[_Key, Thing]) -> bool:
    """Whether it is the index of a constraint that is told of, too."""
    owner = dict(thing.details).get(_OF_CONSTRAINT)
    return owner is not None and any(
        key[0] == thing.schema and key[2:] == (thing.table, owner) and "index" not in key[1]
        for key in only
    )


def _told(thing: Thing) -> str:
    quiet = (_ORDER, _WRITTEN, _OF_CONSTRAINT)
    words = (_in_words(*detail) for detail in thing.details if detail[0] not in quiet)
    return " ".join(filter(None, words))


def _in_words(name: str, value: str) -> str:
    match name, value:
        case (("type" | "on" | "definition" | "options" | "is"), _):
            return value
        case "nullable", _:
            return "" if value == "yes" else "NOT NULL"
    return f"{name} {value}"


def _changed(ours: Thing, theirs: Thing) -> Iterator[Drift]:
    here, there = dict(ours.details), dict(theirs.details)
    for name in dict.fromkeys((*here, *there)):
        if name != _ORDER and here.get(name) != there.get(name):
            yield _of(
                ours,
                Change.CHANGED,
                detail=name,
                value=here.get(name),
                baseline=there.get(name),
            )


def _reordered(ours: Mapping[_Key, Thing], theirs: Mapping[_Key, Thing]) -> Iterator[Drift]:
    """Yield tables that have their common columns in another order."""
    tables = dict.fromkeys((key[0], key[2]) for key in ours if key[1] == "column" and key in theirs)
    for schema, table in tables:
        both = [key for key in ours if key in theirs and key[:3] == (schema, "column", table)]
        here, there = _ordered(both, ours), _ordered(both, theirs)
        if here != there:
            orders = (", ".join(here), ", ".join(there))
            yield Drift(Change.CHANGED, "table", "", table, schema, "column order", *orders)


def _ordered(keys: Sequence[_Key], of: Mapping[_Key, Thing]) -> list[str]:
    def position(key: _Key) -> int:
        return int(dict(of[key].details).get(_ORDER, "0"))

    return [key[3] for key in sorted(keys, key=position)]


def _of(
    thing: Thing,
    change: Change,
    *,
    detail: str = "",
    value: str | None = None,
    baseline: str | None = None,
) -> Drift:
    return Drift(change, thing.kind, thing.table, thing.name, thing.schema, detail, value, baseline)
