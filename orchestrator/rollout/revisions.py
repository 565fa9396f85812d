"""A migration history as a graph: which revisions a database still lacks."""

from collections.abc import Iterable, Sequence

from orchestrator.rollout.outcomes import Revision


class Revisions:
    """The revisions of one database, and what a target at some heads has of them.

    Takes them newest first, as Alembic lists them, and where targets are to be: without it, at all
    heads. Answers are kept: a fleet stands at few heads.
    """

    def __init__(self, newest_first: Sequence[Revision], goal: Iterable[str] = ()) -> None:
        self._ordered = tuple(reversed(newest_first))
        self._known = {revision.id: revision for revision in self._ordered}
        self._goals = frozenset(goal)
        self._goal = self.ancestors(self._goals) or set(self._known)
        self._pending: dict[tuple[str, ...], tuple[Revision, ...]] = {}

    @property
    def oldest_first(self) -> tuple[Revision, ...]:
        """All of them, each after those that it follows."""
        return self._ordered

    @property
    def paths(self) -> dict[str, str]:
        """The file of each revision, by its id."""
        return {id_: of.path for id_, of in self._known.items() if of.path is not None}

    def unknown(self, heads: Iterable[str]) -> tuple[str, ...]:
        """Return the heads that are no revisions here."""
        return tuple(head for head in heads if head not in self._known)

    def overlap(self, heads: Sequence[str]) -> bool:
        """Whether one head is there twice, or below another one: no upgrade leads there."""
        return len(self.tops(heads)) < len(heads)

    def tops(self, heads: Sequence[str]) -> tuple[str, ...]:
        """Return those of some heads that come before no other, each once, sorted."""
        below = {id_ for head in heads for id_ in self.ancestors([head]) if id_ != head}
        return tuple(sorted(set(heads) - below))

    def passed(self, heads: Sequence[str]) -> tuple[str, ...]:
        """Return where targets are to be, as far as known heads are past it."""
        if self._goals.isdisjoint(self.ancestors(heads) - set(heads)):
            return ()
        below: set[str] = set()
        left = [down for head in heads for down in self._known[head].down]
        while left:
            id_ = left.pop()
            if id_ not in below and id_ in self._known:
                below.add(id_)
                left += self._known[id_].down
        return tuple(sorted(self._goals & below))

    def pending(self, heads: tuple[str, ...]) -> tuple[Revision, ...]:
        """Return what an upgrade would run at known heads, oldest first."""
        if heads not in self._pending:
            there = self.ancestors(heads)
            self._pending[heads] = tuple(
                r for r in self._ordered if r.id in self._goal and r.id not in there
            )
        return self._pending[heads]

    def ancestors(self, heads: Iterable[str]) -> set[str]:
        """Return the known ones of some revisions, and all that came before them."""
        found: set[str] = set()
        left = list(heads)
        while left:
            id_ = left.pop()
            if id_ not in found and id_ in self._known:
                found.add(id_)
                revision = self._known[id_]
                left += [*revision.down, *revision.depends_on]
        return found
