"""Targets that have the same thing to tell, told once."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.states import style, word
from orchestrator.render.text import count, heads, names, safe
from orchestrator.rollout.outcomes import Outcome, State

Pair = tuple[Target, Outcome]
T = TypeVar("T")
_INDENT = 4
_MESSAGES = 3
_TROUBLE = (
    State.BEHIND,
    State.EMPTY,
    State.UNVERSIONED,
    State.UNKNOWN_REVISION,
    State.INCONSISTENT,
    State.FAILED,
    State.UNREACHABLE,
)


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return ``items`` by equal key, groups and members in order of appearance."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


class Block(Group):
    """A title with an indented body."""

    def __init__(self, title: Text, *body: RenderableType) -> None:
        super().__init__(title, *(Padding.indent(part, _INDENT) for part in body))
        self.title, self.body = title, body


def block(title: Text, *body: RenderableType) -> Block:
    """Return a title with an indented body."""
    return Block(title, *body)


def spaced(*sections: RenderableType) -> Group:
    """Return sections with an empty line between each two."""
    return Group(*[part for section in sections for part in (Text(), section)][1:])


def titled(state: State, rest: str) -> Text:
    """Return ``behind: 2 targets of orders``, the state in its colour."""
    return Text.assemble((word(state), style(state)), ": ", safe(rest))


def target_names(pairs: Sequence[Pair]) -> Text:
    """Return the names of targets, at most twenty."""
    return Text(names(target.name for target, _ in pairs), style="dim")


def troubles(pairs: Sequence[Pair]) -> Iterator[Group]:
    """Yield a block for each group of targets that are behind, empty, unknown or unreachable.

    The worst comes last, where a reader's eye is when the command has ended.
    """
    for state in _TROUBLE:
        of_state = [pair for pair in pairs if pair[1].state is state]
        for group in grouped(of_state, _sameness):
            yield _unread(group) if group[0][1].failure else _standing(group)


def _sameness(pair: Pair) -> Hashable:
    target, outcome = pair
    if outcome.failure:
        return target.database, target.server, outcome.failure.next_step
    return target.database, outcome.heads, len(outcome.revisions)


def _standing(group: Sequence[Pair]) -> Group:
    target, outcome = group[0]
    rest = f"{count(len(group), 'target')} of {target.database}"
    if outcome.heads:
        rest += f" at {heads(outcome.heads)}"
    if outcome.revisions:
        rest += f", {count(len(outcome.revisions), 'revision')} pending"
    return block(titled(outcome.state, rest), target_names(group))


def _unread(group: Sequence[Pair]) -> Group:
    """Messages often name the single database: some are enough where a server is down."""
    target, outcome = group[0]
    failures = [outcome.failure for _, outcome in group if outcome.failure]
    messages = list(dict.fromkeys(failure.message for failure in failures))
    lines = [Text(safe(message)) for message in messages[:_MESSAGES]]
    if len(messages) > _MESSAGES:
        lines.append(Text(f"and {count(len(messages) - _MESSAGES, 'similar message')}"))
    if step := failures[0].next_step:
        lines.append(Text.assemble(("next: ", "bold"), safe(step)))
    rest = f"{count(len(group), 'target')} of {target.database} on {target.server}"
    return block(titled(outcome.state, rest), target_names(group), *lines)
