"""Whether what an environment requires of another one is there, and since when."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.config.units import duration

Heads = Sequence[str]
Standings = Sequence[tuple[Heads, int]]
"""The heads that a target had, newest first, each with the time since when, in ms."""
Ancestors = Callable[[Heads], AbstractSet[str]]
"""Tells which revisions are applied at some heads: those and all before them."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Lack:
    """A target that does not have what is required, or not long enough."""

    target: str
    seen: bool
    """Whether anything is known of it."""
    revisions: tuple[str, ...] = ()
    """What is not there."""
    ready_at: int | None = None
    """When all of it will have been there long enough, in ms; ``None`` where some is not there."""
    wait: int = 0
    """How long that takes from now, in ms."""

    def __str__(self) -> str:
        """Say it in a few words."""
        if not self.seen:
            return f"{self.target} was never seen"
        if self.ready_at is not None:
            return f"{self.target} has them in {_rounded(self.wait)}"
        more = len(self.revisions) - _SHOWN
        shown = ", ".join(self.revisions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"{self.target} is without {shown}"


def lacks(
    targets: Iterable[str],
    standings: Mapping[str, Standings],
    ancestors: Ancestors,
    revisions: Collection[str],
    soak: int,
    now: int,
) -> list[Lack]:
    """Return those of ``targets`` that have not had all ``revisions`` for ``soak`` milliseconds.

    A revision is there since the oldest of the newest standings that have it without a break: one
    that was taken back and applied again is there since it was applied again. Each heads are
    looked up once. Without targets, or without revisions, nothing is lacking.
    """
    wanted = dict.fromkeys(revisions)
    if not wanted:
        return []
    known: dict[tuple[str, ...], AbstractSet[str]] = {}

    def there(heads: Heads) -> AbstractSet[str]:
        key = tuple(heads)
        if key not in known:
            known[key] = wanted.keys() & ancestors(key)
        return known[key]

    found = (_lack(name, standings.get(name, ()), there, wanted, soak, now) for name in targets)
    return [lack for lack in found if lack is not None]


def opens_at(found: Sequence[Lack]) -> int | None:
    """Return when nothing is lacking any more by time alone, in ms.

    ``None`` where it takes more than time, or where nothing is lacking.
    """
    times = [lack.ready_at for lack in found]
    return None if None in times else max((at for at in times if at is not None), default=None)


def _lack(
    target: str,
    standings: Standings,
    there: Ancestors,
    wanted: Mapping[str, None],
    soak: int,
    now: int,
) -> Lack | None:
    if not standings:
        return Lack(target, seen=False)
    newest = there(standings[0][0])
    missing = tuple(revision for revision in wanted if revision not in newest)
    if missing:
        return Lack(target, seen=True, revisions=missing)
    ready = _complete_since(standings, there, len(wanted)) + soak
    return Lack(target, seen=True, ready_at=ready, wait=ready - now) if now < ready else None


def _complete_since(standings: Standings, there: Ancestors, count: int) -> int:
    """Return since when all were there: the last one to come is in no older standing."""
    since = standings[0][1]
    for heads, at in standings:
        if len(there(heads)) < count:
            break
        since = at
    return since


def _rounded(milliseconds: int) -> str:
    """In minutes, or in seconds where it is less than one: nobody waits for a millisecond."""
    seconds = -(-milliseconds // 1000)
    return duration(float(seconds if seconds < 60 else -(-seconds // 60) * 60))
