"""The text of ``history``."""

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from orchestrator.actions.results import History
from orchestrator.render.groups import block, spaced
from orchestrator.render.states import style, word
from orchestrator.render.table import Columns
from orchestrator.render.words import count, safe
from orchestrator.rollout.outcomes import Outcome

_SHOWN = 20


def report(history: History) -> Group:
    """Return the revisions, newest first, and how many targets stand at each."""
    rows = [
        [
            Text(safe(r.id), style="bold" if r.is_head else ""),
            *_standing(history, r.id),
            _message(r.message, r.branch_labels, head=r.is_head),
        ]
        for r in history.revisions
    ]
    rows.append([Text("empty", style="dim"), *_standing(history, ""), Text()])
    header = ["revision", *map(safe, history.environments), "message"]
    return spaced(Columns(header, rows), *_unreadable(history))


def _standing(history: History, revision: str) -> list[Text]:
    counts = history.standing.get(revision, {})
    return [
        Text(f"{counts[name]:,}") if counts.get(name) else Text("-", style="dim")
        for name in history.environments
    ]


def _message(message: str, labels: tuple[str, ...], *, head: bool) -> Text:
    notes = [*(["head"] if head else []), *labels]
    return Text.assemble(safe(message), (f" ({safe(', '.join(notes))})" if notes else "", "green"))


def _unreadable(history: History) -> Iterator[Group]:
    lines = [_line(outcome) for outcome in history.unreadable[:_SHOWN]]
    if (hidden := len(history.unreadable) - _SHOWN) > 0:
        lines.append(Text(f"and {hidden:,} more (-o json lists all)"))
    if lines:
        title = f"Not counted: {count(len(history.unreadable), 'target')}"
        yield block(Text(title, style="bold"), *lines)


def _line(outcome: Outcome) -> Text:
    cause = outcome.failure.message if outcome.failure else ", ".join(outcome.heads)
    return Text.assemble(
        f"{safe(outcome.target)}  ",
        (word(outcome.state), style(outcome.state)),
        f"  {safe(cause)}",
    )
